//! The demonstration, and the help.

use super::support::*;

#[test]
fn shows_a_hit_and_a_miss_of_every_system() {
    let run = layerwise(&["demo"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    golden("demo.txt", &run.stdout, None);
    let document = layerwise(&["demo", "--json"]).json();
    let scenes = document["scenes"].as_array().unwrap();
    let of = |system: &'static str| scenes.iter().filter(move |scene| scene["system"] == system);
    let outcomes: Vec<&str> = of("docker")
        .map(|scene| scene["answer"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["hit-local", "hit-restored", "miss"]);
    // Every system has a hit, and a miss that is explained.
    for system in ["docker", "buildpacks", "buildkit", "stacker"] {
        let explained = of(system).filter(|scene| !scene["explanation"].is_null());
        assert!(explained.count() > 0, "{system}");
        assert!(of(system).count() > 1, "{system}");
    }
}

#[test]
fn help_describes_the_documents() {
    for (arguments, name) in [
        (&["--help"][..], "help.txt"),
        (&["docker", "lookup", "--help"], "help-lookup.txt"),
        (&["docker", "history", "--help"], "help-history.txt"),
        (&["stacker", "lookup", "--help"], "help-stacker-lookup.txt"),
        (&["stacker", "put", "--help"], "help-stacker-put.txt"),
        (&["conformance", "--help"], "help-conformance.txt"),
    ] {
        let run = layerwise(arguments);
        assert_eq!((run.exit, &*run.stderr), (0, ""));
        golden(name, &run.stdout, None);
    }
    assert_eq!(layerwise(&["--version"]).stdout, "layerwise 0.1.0\n");
}
