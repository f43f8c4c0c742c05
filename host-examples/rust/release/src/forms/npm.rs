//! The npm package.

use crate::failure::Failure;
use crate::place::{Place, snippet, write};

const JAVASCRIPT: &str = "host-examples/javascript";

/// What a bundler is given: it runs where there is no file system, as in a browser.
const PAGE: &str = "import { Memory } from 'layerwise';\nconsole.log(typeof Memory);\n";

pub fn make(place: &Place) -> Result<(), Failure> {
    let within = place.source.join(JAVASCRIPT);
    let npm = |arguments: &[&str]| {
        let mut npm = place.tool("npm");
        npm.env(
            "LAYERWISE_COMPONENT",
            place.out.join(super::component::FILE),
        );
        place.output(npm.args(arguments).current_dir(&within))
    };
    npm(&["ci", "--no-audit", "--no-fund"])?;
    npm(&["run", "build"])?;
    let out = place.out.to_string_lossy();
    npm(&[
        "pack",
        "--ignore-scripts",
        "--silent",
        "--pack-destination",
        &out,
    ])?;
    Ok(())
}

/// In an empty directory: installed, its types checked, the manual's example run, bundled,
/// and its command run by npx.
pub fn prove(place: &Place) -> Result<String, Failure> {
    let packed = place.made(&format!("layerwise-{}.tgz", place.version))?;
    let empty = place.empty("npm")?;
    let run = |program: &str, arguments: &[&str]| {
        place.output(place.tool(program).args(arguments).current_dir(&empty))
    };
    run("npm", &["init", "--yes"])?;
    run("npm", &["pkg", "set", "type=module"])?;
    run(
        "npm",
        &[
            "install",
            "--no-audit",
            "--no-fund",
            "--silent",
            &packed.to_string_lossy(),
        ],
    )?;
    for file in ["LICENSE", "README.md"] {
        let path = empty.join("node_modules/layerwise").join(file);
        if !path.is_file() {
            return Err(Failure::new(format!("the package lacks {file}")));
        }
    }
    let manual = place.text("src/manual/javascript.md")?;
    write(&empty.join("example.js"), snippet(&manual, "js")?)?;
    let printed = run("node", &["example.js"])?;
    if printed != snippet(&manual, "text")? {
        return Err(Failure::new(format!(
            "the manual's example printed {printed:?}"
        )));
    }
    let tool = |name: &str| {
        let path = place
            .source
            .join(JAVASCRIPT)
            .join("node_modules/.bin")
            .join(name);
        path.to_string_lossy().into_owned()
    };
    write(
        &empty.join("consumer.ts"),
        place.text(&format!("{JAVASCRIPT}/test/consumer.ts"))?,
    )?;
    let strict =
        "--strict --target es2022 --module nodenext --noEmit --lib es2023,dom,esnext.disposable";
    let mut arguments: Vec<&str> = strict.split(' ').collect();
    arguments.push("consumer.ts");
    run(&tool("tsc"), &arguments)?;
    write(&empty.join("page.js"), PAGE)?;
    run(
        &tool("rolldown"),
        &[
            "page.js",
            "--platform",
            "browser",
            "--format",
            "esm",
            "--dir",
            "bundle",
        ],
    )?;
    run("node", &["bundle/page.js"])?;
    run("npx", &["layerwise", "demo"])?;
    Ok(
        "installed; types, the manual's example, a bundle for browsers, npx layerwise demo"
            .to_owned(),
    )
}
