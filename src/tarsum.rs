//! The header that Docker's builder and BuildKit hash in front of the bytes of a file:
//! fields of a tar header, each key followed by its value (Dockerfile spec, section
//! 7.1; Builds spec, section 4.1).

use crate::prelude::*;

/// The members of a tar header that count.
pub struct Header<'a> {
    pub name: &'a str,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// In bytes.
    pub size: u64,
    pub typeflag: char,
    /// The target of a link.
    pub link: &'a str,
    /// The names of owners count. Only that of root is known here; others count as none.
    pub owner_names: bool,
}

impl Header<'_> {
    /// What is hashed before the content.
    pub fn text(&self) -> String {
        let Self {
            name,
            mode,
            uid,
            gid,
            size,
            typeflag,
            link,
            owner_names,
        } = self;
        let owner = |id: u32| if *owner_names && id == 0 { "root" } else { "" };
        let (user, group) = (owner(*uid), owner(*gid));
        format!(
            "name{name}mode{mode}uid{uid}gid{gid}size{size}typeflag{typeflag}linkname{link}\
             uname{user}gname{group}devmajor0devminor0"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_has_a_name() {
        let header = Header {
            name: "bin/sh",
            mode: 0o100_755,
            uid: 0,
            gid: 8,
            size: 680,
            typeflag: '0',
            link: "",
            owner_names: true,
        };
        assert_eq!(
            header.text(),
            "namebin/shmode33261uid0gid8size680typeflag0linknameunamerootgnamedevmajor0devminor0"
        );
    }
}
