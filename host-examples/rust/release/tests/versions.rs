//! The manual's table of versions says what is in this tree.

#[cfg(test)]
mod versions {
    use std::fs;
    use std::path::Path;

    fn text(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../..")
            .join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// What stands between two texts of a file.
    fn between(path: &str, start: &str, end: &str) -> String {
        let text = text(path);
        let rest = text
            .split_once(start)
            .unwrap_or_else(|| panic!("{path} has no {start:?}"))
            .1;
        rest.split(end).next().unwrap().to_owned()
    }

    /// The first two numbers of a version.
    fn minor(version: &str) -> String {
        version.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    #[test]
    fn the_first_row_is_this_tree() {
        let page = text("src/manual/releasing.md");
        let table = page.split_once("## Versions that go together").unwrap().1;
        let row = table
            .lines()
            .filter(|line| line.starts_with("| "))
            .nth(1)
            .unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let wit = between("wit/world.wit", "package ", ";");
        let rust = between("Cargo.toml", "rust-version = \"", "\"");
        let wasmtime = between("Cargo.lock", "name = \"wasmtime\"\nversion = \"", ".");
        let python = between(
            "host-examples/python/pyproject.toml",
            "requires-python = \">=",
            "\"",
        );
        let wasmtime_py = between("host-examples/python/pyproject.toml", "\"wasmtime>=", ".");
        let of_python = between(
            "host-examples/python/pyproject.toml",
            "\nversion = \"",
            "\"",
        );
        let node = between(
            "host-examples/javascript/package.json",
            "\"node\": \">=",
            "\"",
        );
        let of_node = between(
            "host-examples/javascript/package.json",
            "\"version\": \"",
            "\"",
        );
        let go = minor(&between("host-examples/go/go.mod", "\ngo ", "\n"));
        let wazero = minor(&between(
            "host-examples/go/go.mod",
            "tetratelabs/wazero v",
            "\n",
        ));
        let want = format!(
            "| {version} | {wit} | {version}, Rust {rust}, wasmtime {wasmtime} | {of_python}, Python {python}, \
             wasmtime {wasmtime_py} | {of_node}, Node {node} | {version}, Go {go}, wazero {wazero} |"
        );
        assert_eq!(row, want);
    }

    /// What a release ships is what the repository's licence says.
    #[test]
    fn every_package_carries_the_licence() {
        let licence = text("LICENSE");
        for package in [
            "python",
            "javascript",
            "go",
            "rust/cli",
            "rust/host",
            "rust/component",
        ] {
            assert_eq!(
                text(&format!("host-examples/{package}/LICENSE")),
                licence,
                "{package}"
            );
        }
    }
}
