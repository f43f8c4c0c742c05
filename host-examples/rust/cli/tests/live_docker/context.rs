//! Build contexts: archives, and what the builder calls a file in them.

use std::fs;
use std::sync::OnceLock;

use layerwise::oci::sha256;

use super::process::{self, Place};

/// A regular file of user 0, in archives and in build contexts.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub mode: u32,
    pub content: Vec<u8>,
}

impl File {
    /// A file with some text.
    pub fn text(name: &str, content: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode: 0o644,
            content: content.into(),
        }
    }

    /// A program that needs no other file. It leaves its arguments in `/made`,
    /// so that each `RUN` gives a layer of its own, and always succeeds.
    pub fn program(name: &str) -> Self {
        static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
        Self {
            name: name.to_owned(),
            mode: 0o755,
            content: PROGRAM.get_or_init(compile).clone(),
        }
    }

    /// What the builder puts into the command of a `COPY` or `ADD` of this file
    /// alone: `file:` and the digest that Docker's tarsum, version 1, gives it.
    pub fn checksum(&self) -> String {
        let mut text = Vec::new();
        for (key, value) in [
            ("name", self.name.clone()),
            ("mode", self.mode.to_string()),
            ("uid", "0".to_owned()),
            ("gid", "0".to_owned()),
            ("size", self.content.len().to_string()),
            ("typeflag", "0".to_owned()),
            ("linkname", String::new()),
            ("uname", String::new()),
            ("gname", String::new()),
            ("devmajor", "0".to_owned()),
            ("devminor", "0".to_owned()),
        ] {
            text.extend_from_slice(key.as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
        text.extend_from_slice(&self.content);
        format!("file:{}", sha256(&text).hex())
    }
}

/// An archive of these files, in the ustar format.
pub fn archive(files: &[File]) -> Vec<u8> {
    let mut archive = Vec::new();
    for file in files {
        archive.extend_from_slice(&header(file));
        archive.extend_from_slice(&file.content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn header(file: &File) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    assert!(file.name.len() < 100, "{:?} is too long", file.name);
    put(0, &file.name);
    put(100, &format!("{:07o}", file.mode));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", file.content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(329, "0000000");
    put(337, "0000000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

const SOURCE: &str = r#"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {
    int file = open("/made", O_CREAT | O_WRONLY | O_APPEND, 0644);
    for (int i = 0; i < count; i++) {
        if (write(file, words[i], strlen(words[i])) < 0) return 0;
    }
    return 0;
}
"#;

fn compile() -> Vec<u8> {
    let place = Place::new();
    let source = place.path().join("program.c");
    let program = place.path().join("program");
    fs::write(&source, SOURCE).unwrap();
    let arguments = [
        "-static".as_ref(),
        "-s".as_ref(),
        "-o".as_ref(),
        program.as_os_str(),
        source.as_os_str(),
    ];
    let output = process::run("cc", arguments, None);
    assert!(output.success, "cc -static: {}", output.stderr);
    fs::read(program).unwrap()
}
