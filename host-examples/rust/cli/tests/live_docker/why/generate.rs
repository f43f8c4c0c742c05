//! Projects that are made up: a Dockerfile with its context, and changes to them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::super::context::File;

/// A Dockerfile and what it is built with.
pub struct Project {
    random: Random,
    seed: u64,
    lines: Vec<String>,
    files: BTreeMap<String, Node>,
    ignored: Vec<String>,
    argument: String,
    changes: Vec<String>,
}

#[derive(Clone)]
enum Node {
    File(Vec<u8>, u32),
    Link(String),
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

impl Project {
    pub fn new(seed: u64) -> Self {
        let mut project = Self {
            random: Random(seed.wrapping_mul(7919).wrapping_add(11)),
            seed,
            lines: Vec::new(),
            files: BTreeMap::new(),
            ignored: vec![
                "*.tmp".to_owned(),
                "logs".to_owned(),
                "!logs/keep".to_owned(),
            ],
            argument: "one".to_owned(),
            changes: Vec::new(),
        };
        project.files.insert("program".to_owned(), {
            let program = File::program("program");
            Node::File(program.content, program.mode)
        });
        for (name, mode) in [
            ("src/main", 0o644),
            ("src/sub/deep", 0o600),
            ("src/space name", 0o644),
            ("notes.txt", 0o644),
            ("notes.md", 0o755),
            ("scrap.tmp", 0o644),
            ("logs/old", 0o644),
            ("logs/keep", 0o644),
        ] {
            let content = format!("{name} {}\n", project.random.below(3));
            let node = Node::File(content.into_bytes(), mode);
            project.files.insert(name.to_owned(), node);
        }
        let link = Node::Link("main".to_owned());
        project.files.insert("src/link".to_owned(), link);
        project.dockerfile();
        project
    }

    fn dockerfile(&mut self) {
        let several = self.random.below(3) == 0;
        self.lines.push("FROM scratch AS first".to_owned());
        self.lines.push("COPY program /bin/sh".to_owned());
        let (count, mut runs) = (3 + self.random.below(5), 2);
        for _ in 0..count {
            let line = self.instruction(&mut runs);
            self.lines.push(line);
        }
        if !several {
            return;
        }
        if self.random.below(2) == 0 {
            self.lines.push("FROM first AS second".to_owned());
        } else {
            self.lines.push("FROM scratch".to_owned());
            self.lines
                .push("COPY --from=first /bin/sh /bin/sh".to_owned());
        }
        for _ in 0..2 {
            let line = self.instruction(&mut runs);
            self.lines.push(line);
        }
    }

    fn instruction(&mut self, runs: &mut u32) -> String {
        let word = self.random.one(&["alpha", "beta", "gamma"]);
        let number = self.random.below(4);
        loop {
            return match self.random.below(22) {
                0 => format!("ENV NAME{number}={word} OTHER=\"two words\""),
                1 => format!("LABEL key{number}={word}"),
                2 => "ARG VALUE=default".to_owned(),
                3 => "COPY src /src".to_owned(),
                4 => "COPY notes.* /notes/".to_owned(),
                5 => "COPY . /all/".to_owned(),
                6 => format!("COPY notes.txt src/main /d{number}/"),
                7 => format!("ADD notes.md /added{number}"),
                8 => "COPY src/link /link".to_owned(),
                9..=11 if *runs > 0 => {
                    *runs -= 1;
                    match number {
                        0 => format!("RUN [\"/bin/sh\", \"{word}\"]"),
                        _ => format!("RUN {word} $VALUE \\\n  more{number}"),
                    }
                }
                12 => format!("WORKDIR /w/{word}"),
                13 => "USER 0:0".to_owned(),
                14 => format!("EXPOSE {} 53/udp", 8000 + number),
                15 => format!("VOLUME /data{number}"),
                16 => format!("CMD [\"/bin/sh\", \"{word}\"]"),
                17 => format!("ENTRYPOINT [\"/bin/sh\", \"{word}\"]"),
                18 => format!("HEALTHCHECK CMD {word}"),
                19 => "STOPSIGNAL SIGUSR1".to_owned(),
                20 => format!("ONBUILD ENV LATER={word}"),
                21 => format!("COPY ${{UNSET:-notes}}.txt /expanded{number}"),
                _ => continue,
            };
        }
    }

    /// Changes one thing, or something that changes nothing.
    pub fn mutate(&mut self) {
        let place = 1 + self.random.below(self.lines.len() - 1);
        let files: Vec<String> = self.files.keys().cloned().collect();
        let name = self.random.one(&files);
        let what = match self.random.below(16) {
            0 => "nothing".to_owned(),
            1..=3 => {
                if let Some(Node::File(content, _)) = self.files.get_mut(&name) {
                    content.extend_from_slice(b"x");
                }
                format!("content of {name}")
            }
            4 => {
                if let Some(Node::File(_, mode)) = self.files.get_mut(&name) {
                    *mode ^= 0o011;
                }
                format!("mode of {name}")
            }
            5 => {
                let node = Node::File(b"new\n".to_vec(), 0o644);
                self.files.insert("src/new".to_owned(), node);
                "a new file".to_owned()
            }
            6 => {
                let node = Node::File(b"new\n".to_vec(), 0o644);
                self.files.insert("new.tmp".to_owned(), node);
                "a new file that is ignored".to_owned()
            }
            7 if name != "program"
                && name != "notes.txt"
                && name != "notes.md"
                && name != "src/main"
                && name != "src/link" =>
            {
                self.files.remove(&name);
                format!("{name} removed")
            }
            8 => {
                let link = Node::Link("sub/deep".to_owned());
                self.files.insert("src/link".to_owned(), link);
                "a link leads elsewhere".to_owned()
            }
            9 => {
                "two".clone_into(&mut self.argument);
                "another build argument".to_owned()
            }
            10 => {
                self.ignored.push("src/sub".to_owned());
                "more is ignored".to_owned()
            }
            11 => {
                self.lines.insert(place, "# a comment".to_owned());
                format!("a comment at {place}")
            }
            12 => {
                let line = self.instruction(&mut 1);
                // Nothing runs before the program is there.
                let place = place + usize::from(self.lines[place].contains("program"));
                self.lines.insert(place, line);
                format!("a step more at {place}")
            }
            13 | 14 => {
                let line = &mut self.lines[place];
                *line = line
                    .replace("alpha", "delta")
                    .replace("/src", "/source")
                    .replace("key", "kez");
                format!("words at {place}")
            }
            _ => {
                let last = self.lines.len() - 1;
                let movable = place < last
                    && !self.lines[place].contains("FROM")
                    && !self.lines[place + 1].contains("FROM")
                    && !self.lines[place].contains("program")
                    && !self.lines[place].contains("--from")
                    && !self.lines[place + 1].contains("--from");
                if movable {
                    self.lines.swap(place, place + 1);
                }
                format!("steps {place} and the next change places")
            }
        };
        self.changes.push(what);
    }

    /// The options of a build.
    pub fn options(&self) -> Vec<String> {
        let uses = self.lines.iter().any(|line| line.starts_with("ARG VALUE"));
        let argument = format!("VALUE={}", self.argument);
        match uses {
            true => vec!["--build-arg".to_owned(), argument],
            false => vec!["--label".to_owned(), format!("seed={}", self.seed)],
        }
    }

    /// Writes the context.
    pub fn write(&self, directory: &Path) {
        for (name, node) in &self.files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match node {
                Node::Link(target) => symlink(target, path).unwrap(),
                Node::File(content, mode) => {
                    fs::write(&path, content).unwrap();
                    fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
                }
            }
        }
        fs::write(directory.join(".dockerignore"), self.ignored.join("\n")).unwrap();
        fs::write(directory.join("Dockerfile"), self.lines.join("\n") + "\n").unwrap();
    }

    /// Everything that is needed to see what went wrong.
    pub fn describe(&self) -> String {
        format!(
            "changed: {:?}\n{}\n{:?}",
            self.changes,
            self.lines.join("\n"),
            self.options()
        )
    }
}
