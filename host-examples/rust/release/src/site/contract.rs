//! The page of the contract: every file of `wit/`, whose comments say what it means.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::place::read_text;

/// In Markdown.
pub fn text(root: &Path) -> Result<String, Failure> {
    let directory = root.join("wit");
    let entries = fs::read_dir(&directory).map_err(|e| Failure::file("read", &directory, &e))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".wit"))
        .collect();
    names.sort();
    let mut text = String::from(
        "# The contract\n\nThe package `layerwise:cache`: what the component exports, and what a host lends it. \
         Every language has these types and functions under its own spelling.\n\n",
    );
    for name in names {
        let wit = read_text(&directory.join(&name))?;
        let title = name.trim_end_matches(".wit");
        text.push_str(&format!(
            "## {title}\n\n```wit\n{}\n```\n\n",
            wit.trim_end()
        ));
    }
    Ok(text)
}
