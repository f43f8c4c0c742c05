//! What a COPY or ADD says of itself, read from the history of its image (Dockerfile
//! spec, section 6.2).

/// What a COPY or ADD says of itself, as the history of its image has it (Dockerfile
/// spec, section 6.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Copy<'a> {
    /// It is ADD.
    pub adds: bool,
    /// The checksum of what it copied.
    pub sum: &'a str,
    /// Where to, as written.
    pub to: &'a str,
}

impl<'a> Copy<'a> {
    /// Reads a command; `None` for that of another step.
    pub fn read(command: &'a str) -> Option<Self> {
        let (_, comment) = command.split_once("#(nop) ")?;
        let (name, rest) = comment.trim_start().split_once(' ')?;
        let rest = match rest.strip_prefix("--chown=") {
            Some(owner) => owner.split_once(' ')?.1,
            None => rest,
        };
        let (sum, to) = rest.split_once(" in ")?;
        let copy = Self {
            adds: name == "ADD",
            sum,
            to: to.strip_suffix(' ').unwrap_or(to),
        };
        matches!(name, "COPY" | "ADD").then_some(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::Copy;

    #[test]
    fn commands_of_steps() {
        let read = |comment: &str| {
            let command = format!("/bin/sh -c #(nop) {comment}");
            Copy::read(&command).map(|copy| (copy.adds, copy.sum.to_owned(), copy.to.to_owned()))
        };
        let told = |adds, sum: &str, to: &str| Some((adds, sum.to_owned(), to.to_owned()));
        assert_eq!(read("COPY file:1 in /a b "), told(false, "file:1", "/a b"));
        assert_eq!(
            read(" ADD --chown=1:1 dir:2 in ./x/ "),
            told(true, "dir:2", "./x/")
        );
        assert_eq!(read("LABEL COPY=a in b"), None);
        assert_eq!(Copy::read("/bin/sh -c COPY a in /b "), None);
    }
}
