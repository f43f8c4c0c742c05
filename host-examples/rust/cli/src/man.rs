//! `layerwise man`: the pages of the manual, as `man` reads them.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::failed::Failed;
use crate::reply::{Exit, Reply};

/// What `--help` says.
pub const HELP: &str = "\
The page of a command is called after it: that of `docker why` is layerwise-docker-why.1.";

/// Which page.
#[derive(Args)]
pub struct ManArgs {
    /// The command whose page is printed, such as `docker why`; without one, that of the program.
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this directory instead.
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Prints a page, or writes all.
pub fn run(command: &Command, args: &ManArgs) -> Result<Reply, Failed> {
    if let Some(directory) = &args.output {
        fs::create_dir_all(directory)
            .map_err(|error| Failed::unwritable(&format!("to {directory:?}"), &error))?;
        let mut names = String::new();
        for (name, page) in pages(command)? {
            let path = directory.join(&name);
            fs::write(&path, page)
                .map_err(|error| Failed::unwritable(&format!("{path:?}"), &error))?;
            names.push_str(&format!("{}\n", path.display()));
        }
        return Ok(Reply::new(Exit::Done, names));
    }
    let mut at = command;
    let mut title = "layerwise".to_owned();
    for name in &args.command {
        title = format!("{title}-{name}");
        at = at.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
            let place = title.replace('-', " ");
            Failed::usage(format!(
                "there is no command {place:?}; there are: {}",
                known.join(", ")
            ))
        })?;
    }
    Ok(Reply::new(Exit::Done, page(at, &title)?))
}

/// Every page with the name of its file, the program's first.
fn pages(command: &Command) -> Result<Vec<(String, String)>, Failed> {
    let mut pages = Vec::new();
    let mut rest = vec![(command, "layerwise".to_owned())];
    while let Some((command, title)) = rest.pop() {
        for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            rest.push((inner, format!("{title}-{}", inner.get_name())));
        }
        pages.push((format!("{title}.1"), page(command, &title)?));
    }
    pages.sort();
    Ok(pages)
}

fn page(command: &Command, title: &str) -> Result<String, Failed> {
    let named = command
        .clone()
        .display_name(title)
        .bin_name(title.replace('-', " "));
    let mut page = Vec::new();
    Man::new(named)
        .title(title.to_uppercase())
        .source(concat!("layerwise ", env!("CARGO_PKG_VERSION")))
        .manual("Layerwise")
        .render(&mut page)
        .map_err(|error| Failed::unwritable(&format!("the page {title}"), &error))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
