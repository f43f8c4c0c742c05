//! A build that can be changed in many places.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Everything that a build is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Files with their modes and texts.
    pub files: BTreeMap<String, (u32, String)>,
    pub dockerfile: Vec<String>,
    pub arguments: BTreeMap<String, String>,
    pub no_cache: bool,
    /// Whether the Dockerfile is left out of the context.
    ignored: bool,
}

/// Lines that the mutations change stand here by their numbers from 0.
const DOCKERFILE: [&str; 17] = [
    "FROM scratch AS base",
    "COPY tool /tool",
    "FROM base AS left",
    "ARG MODE=plain",
    "COPY src /src",
    r#"RUN ["/tool", "/left", "l"]"#,
    "FROM base AS right",
    "ARG UNUSED",
    "ENV LEVEL=1",
    "COPY conf/right /right.conf",
    r#"RUN ["/tool", "/right", "r"]"#,
    "FROM base",
    "COPY --from=left /left /left",
    "COPY --from=right /right /right",
    "COPY . /all",
    r#"RUN ["/tool", "/last", "2"]"#,
    "LABEL made=here",
];

/// Changes, each with a name.
type Change = (&'static str, fn(&mut Project, u64));

const CHANGES: [Change; 12] = [
    ("edit src/a", |project, seed| project.edit("src/a", seed)),
    ("edit conf/right", |project, seed| {
        project.edit("conf/right", seed);
    }),
    ("edit other", |project, seed| project.edit("other", seed)),
    ("add src/new", |project, seed| {
        let file = (0o644, format!("new {seed}\n"));
        project.files.insert("src/new".to_owned(), file);
    }),
    ("remove src/b", |project, _| {
        project.files.remove("src/b");
    }),
    ("mode of src/a", |project, _| {
        if let Some(file) = project.files.get_mut("src/a") {
            file.0 = 0o755;
        }
    }),
    ("argument MODE", |project, seed| {
        let value = format!("mode-{seed}");
        project.arguments.insert("MODE".to_owned(), value);
    }),
    ("ENV LEVEL", |project, seed| {
        project.replace("ENV LEVEL", &format!("ENV LEVEL=of-{seed}"));
    }),
    ("command of right", |project, seed| {
        let line = format!(r#"RUN ["/tool", "/right", "r{seed}"]"#);
        project.replace(r#"RUN ["/tool", "/right""#, &line);
    }),
    ("new command", |project, seed| {
        let line = format!(r#"RUN ["/tool", "/new", "n{seed}"]"#);
        project.dockerfile.insert(15, line);
    }),
    ("no cache", |project, _| project.no_cache = true),
    // Changes no key: labels are of the image alone. Without .dockerignore it changes
    // what `COPY .` takes.
    ("LABEL", |project, seed| {
        project.replace("LABEL", &format!("LABEL made=by-{seed}"));
    }),
];

/// Numbers that look like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

impl Project {
    /// The build before.
    pub fn new(seed: u64) -> Self {
        let files = ["src/a", "src/b", "conf/right", "other"];
        let file = |name: &&str| ((*name).to_owned(), (0o644, format!("{name} {seed}\n")));
        Self {
            files: files.iter().map(file).collect(),
            dockerfile: DOCKERFILE.map(str::to_owned).to_vec(),
            arguments: BTreeMap::new(),
            no_cache: false,
            ignored: !seed.is_multiple_of(3),
        }
    }

    /// Changes one or two things; returns what.
    pub fn mutate(&mut self, seed: u64) -> Vec<&'static str> {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut done = Vec::new();
        for _ in 0..8 {
            chance.below(2);
        }
        for _ in 0..=chance.below(2) {
            let (name, change) = CHANGES[chance.below(CHANGES.len())];
            if !done.contains(&name) {
                change(self, seed);
                done.push(name);
            }
        }
        done
    }

    fn edit(&mut self, name: &str, seed: u64) {
        if let Some(file) = self.files.get_mut(name) {
            file.1 = format!("{name}, edited by {seed}\n");
        }
    }

    fn replace(&mut self, begin: &str, by: &str) {
        let mut lines = self.dockerfile.iter_mut();
        if let Some(line) = lines.find(|line| line.starts_with(begin)) {
            by.clone_into(line);
        }
    }

    /// Writes it into a directory, in place of what is there.
    pub fn write(&self, at: &Path, tool: &[u8]) {
        fs::remove_dir_all(at).unwrap();
        let ignored = match self.ignored {
            true => "Dockerfile\n.dockerignore\n",
            false => ".dockerignore\n",
        };
        let text = self.dockerfile.join("\n") + "\n";
        let own = [("Dockerfile", text.as_str()), (".dockerignore", ignored)];
        for (name, text) in own {
            put(at, name, 0o644, text.as_bytes());
        }
        for (name, (mode, text)) in &self.files {
            put(at, name, *mode, text.as_bytes());
        }
        put(at, "tool", 0o755, tool);
        // A change must not go unseen that keeps size and time.
        let tool = fs::File::options().write(true).open(at.join("tool"));
        tool.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    /// What it is built with.
    pub fn options(&self) -> Vec<String> {
        let arguments = self.arguments.iter();
        let arguments = arguments.map(|(name, value)| format!("--opt=build-arg:{name}={value}"));
        let no_cache = self.no_cache.then(|| "--no-cache".to_owned());
        arguments.chain(no_cache).collect()
    }
}

fn put(at: &Path, name: &str, mode: u32, bytes: &[u8]) {
    let path = at.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}
