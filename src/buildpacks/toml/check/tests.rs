//! What is TOML, and what is not.

use super::check;

#[test]
fn accepts_toml() {
    for text in [
        "",
        "\n# x\r\n\t\n",
        "a = 1",
        "a.b.c = 1\na.b.d = 2 # x\n\"\" = 1\n'a b' = \"\\u00e9\\U0001F600\\e\\x41\"\n",
        "[metadata]\n  [metadata.a]\n    k = \"v\"\n\n  [[metadata.t]]\n\n  [[metadata.t]]\n",
        "[a.b.c]\n[a]\n[a.b]\nx = 1\n",
        "a = [\n 1, # one\n 2,\n]\nb = [[], [{}]]\nc = { x = 1, y.z = [2,], }\n",
        "s = \"\"\"a \"\"quoted\"\" \\\n   b\"\"\"\"\"\nl = '''x'y\n''z'''''\n",
        "d = 1979-05-27 07:32:00Z\ne = 1979-05-27\nf = 1e10\ng = -inf\n",
        "[[a]]\n[a.b]\nx=1\n[[a]]\n[a.b]\nx=1\n[[a.c]]\n[[a.c]]\n",
        "metadata = 3\n",
        "a = {\n b = 1\n}\n",
        // What upstream allows beyond TOML.
        "\u{feff}a = 1",
        "a.b = 1\n[a]",
        "a = []\na.b = []\n",
        "a = {b = {c = 1}, b.d = 2}",
        "a.b = {}\na = 1\n",
        "a = {}\n[[a.b]]\n",
        r#"a = """\\"""""""#,
    ] {
        assert_eq!(check(text, 128), Ok(()), "{text}");
    }
}

#[test]
fn depth_is_counted_exactly() {
    for text in ["a.b.c = 1", "a = [[[1]]]", "a = {b = {c = {d = 1}}}"] {
        assert_eq!(check(text, 3), Ok(()), "{text}");
        assert!(check(text, 2).is_err(), "{text}");
        assert!(check(text, 1).is_err(), "{text}");
    }
    let refusal = check("= 1", 3).unwrap_err().to_string();
    assert!(refusal.contains("expected a key"), "{refusal}");
}

#[test]
fn refuses_what_is_not() {
    for (text, line) in [
        ("not toml [", 1),
        ("a", 1),
        ("a = ", 1),
        ("a = b", 1),
        ("a = 1 b = 2", 1),
        ("x = 1\n= 2", 2),
        ("a = [1 2]", 1),
        ("a = [1", 1),
        ("a = {x = 1", 1),
        ("a = {x = 1 y = 2}", 1),
        ("a = {x = 1, x = 2}", 1),
        ("a = [,]", 1),
        ("[a", 1),
        ("[]", 1),
        ("[a]x = 1", 1),
        ("[[a]", 1),
        ("[a.]", 1),
        ("a = \"x", 1),
        ("a = \"x\ny\"", 1),
        ("a = 'x\ny'", 1),
        ("a = \"\\q\"", 1),
        ("a = \"\\ud800\"", 1),
        ("a = \"\\u00\"", 1),
        ("a = '''x", 1),
        ("a = \"\u{1}\"", 1),
        ("# \u{1}", 1),
        ("a = 1\ra = 2", 1),
        ("a = 01", 1),
        ("a = 1\na = 2", 2),
        ("[a]\n[a]", 2),
        ("a = 1\n[a.b]", 2),
        ("a.b = 1\na.c = 1\n[a]", 3),
        ("a = {b = [], b.c = 1}", 1),
        ("a = {b = 1, b.c = 1}", 1),
        ("a = []\n[[a]]", 2),
        ("a = \"\"\na.c = 1", 2),
        ("a = 1e999", 1),
        (r#"a = """x"""""""#, 1),
        (r#"a = """\""""""""#, 1),
        (r#"a = """\\""""""""#, 1),
        ("[a]\n[[a]]", 2),
        ("[[a]]\n[a]", 2),
        ("a = {}\n[a]", 2),
        ("a\u{feff} = 1", 1),
    ] {
        let found = check(text, 128).map_err(|refusal| refusal.line);
        assert_eq!(found, Err(line), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let lists = |n: usize| format!("a = {}{}", "[".repeat(n), "]".repeat(n));
    assert!(check(&lists(100), 128).is_ok());
    assert!(check(&lists(200), 128).is_err());
    assert!(check(&lists(200_000), 1_000_000).is_ok());
    assert!(check(&"[".repeat(1_000_000), 128).is_err());
    assert!(check(&vec!["a"; 1000].join("."), 128).is_err());
}
