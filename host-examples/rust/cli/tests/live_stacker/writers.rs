//! Threat T21: processes that put at the same time lose nothing.

use std::fmt::Write as _;
use std::process::Stdio;

use super::project::Project;

const ROUNDS: u32 = 15;
const WRITERS: u32 = 3;

#[test]
fn puts_at_once_are_all_kept() {
    let mut stackerfile = String::new();
    for n in 0..ROUNDS * WRITERS {
        let _ = writeln!(
            stackerfile,
            "l{n}:\n  from: {{type: scratch}}\n  imports: [http://127.0.0.1/f]"
        );
    }
    let project = Project::new(&stackerfile);
    for n in 0..ROUNDS * WRITERS {
        project.write(&format!(".stacker/imports/l{n}/f"), n.to_string());
    }
    for round in 0..ROUNDS {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let mut put = project.put(&format!("l{}", round * WRITERS + writer));
                put.stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for writer in writers {
            let output = writer.wait_with_output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{words}");
        }
        let kept = project.cache()["cache"].as_object().unwrap().len();
        assert_eq!(kept as u32, (round + 1) * WRITERS);
    }
    let layers = project.ask("lookup", &[])["layers"].clone();
    for layer in layers.as_array().unwrap() {
        assert_eq!(layer["outcome"], "hit", "{layer}");
    }
}
