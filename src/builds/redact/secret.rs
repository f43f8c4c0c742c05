//! Which names say that their value is secret.

/// What stands in the place of a value.
pub const HIDDEN: &str = "***";

/// Words that make the value of a name secret, in any case.
pub const WORDS: [&str; 18] = [
    "ACCESS",
    "APIKEY",
    "AUTH",
    "AUTHORIZATION",
    "BEARER",
    "CERT",
    "COOKIE",
    "CREDENTIAL",
    "KEY",
    "LOGIN",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PRIVATE",
    "PWD",
    "SECRET",
    "TOKEN",
];

/// Whether the value of a name is secret: one of its words is in the list, ends with
/// one of four letters or more, or begins with one of five or more.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| {
        let ends = |known: &str| known.len() >= 4 && word.ends_with(known);
        let begins = |known: &str| known.len() >= 5 && word.starts_with(known);
        let plural = |known: &str| word.strip_suffix('S') == Some(known);
        let mut list = WORDS.into_iter();
        list.any(|known| word == known || ends(known) || begins(known) || plural(known))
    })
}
