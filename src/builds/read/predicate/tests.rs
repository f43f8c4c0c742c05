use super::*;

const LIMITS: Limits<1> = Limits::new([(Limit::Entries, 3)]);

const CONFIG: &str = r#"{
  "llbDefinition": [
    {"id": "step0", "op": {"Op": {"source": {"identifier": "docker-image://a"}},
     "platform": {"OS": "linux", "Architecture": "arm", "Variant": "v7"}, "constraints": {}}},
    {"id": "step1", "op": {"Op": {"exec": {"meta": {"cwd": "/"}}}}, "inputs": ["step0:0"]},
    {"id": "step2", "op": {"Op": {}}, "inputs": ["step1:1"]}
  ],
  "digestMapping": {"sha256:aa": "step0", "sha256:bb": "step1"}
}"#;

const SOURCE: &str = r#"{"source": {
  "infos": [{"filename": "Dockerfile", "data": "RlJPTSBh/w=="}],
  "locations": {"step1": {"locations": [
    {"ranges": [{"start": {"line": 2}, "end": {"line": 3}}, {"start": {}, "end": {}}]},
    {"sourceIndex": 1, "ranges": [{"start": {"line": 9}, "end": {"line": 9}}]}
  ]}}
}}"#;

const RESOLVED: &str = r#"[{"uri": "pkg:docker/a", "digest": {"sha256": "cc"}}]"#;

fn v1() -> String {
    format!(
        r#"{{"buildDefinition": {{"resolvedDependencies": {RESOLVED},
        "externalParameters": {{"request": {{"args": {{"target": "app"}}}}}},
        "internalParameters": {{"buildConfig": {CONFIG}, "builderPlatform": "linux/amd64"}}}},
        "runDetails": {{"metadata": {{"buildkit_metadata": {SOURCE}}}}}}}"#
    )
}

fn v02() -> String {
    format!(
        r#"{{"materials": {RESOLVED}, "buildConfig": {CONFIG},
        "invocation": {{"parameters": {{"args": {{"target": "app"}}}},
        "environment": {{"platform": "linux/amd64"}}}},
        "metadata": {{"https://mobyproject.org/buildkit@v1#metadata": {SOURCE}}}}}"#
    )
}

#[test]
fn both_versions_say_the_same() {
    let read = of_text(&v1(), &LIMITS).unwrap();
    assert_eq!(of_text(&v02(), &LIMITS).unwrap(), read);
    for predicate in [v1(), v02()] {
        let statement = format!(r#"{{"_type": "x", "subject": [], "predicate": {predicate}}}"#);
        assert_eq!(of_text(&statement, &LIMITS).unwrap(), read);
    }
    assert_eq!(read.args["target"], "app");
    assert_eq!(read.platform, platform("linux/amd64"));
    assert_eq!(read.dependencies[0].digest["sha256"], "cc");
    let dockerfile = read.dockerfile.unwrap();
    assert_eq!(dockerfile.name, "Dockerfile");
    assert_eq!(dockerfile.text, "FROM a\u{fffd}");
    let [image, run, end] = read.steps.try_into().unwrap();
    assert_eq!(image.vertex.as_deref(), Some("sha256:aa"));
    assert_eq!(image.op.platform, Some(platform("linux/arm/v7")));
    assert_eq!((run.op.kind, end.op.kind), (OpKind::Exec, OpKind::Result));
    assert_eq!(run.lines, [Lines { first: 2, last: 3 }]);
    assert_eq!(run.inputs, [Input { step: 0, output: 0 }]);
    assert_eq!(end.inputs, [Input { step: 1, output: 1 }]);
    assert_eq!(end.vertex, None);
}

#[test]
fn provenance_without_steps_is_told_apart() {
    for text in ["{}", r#"{"buildDefinition": {"internalParameters": {}}}"#] {
        let refused = of_text(text, &LIMITS).unwrap_err();
        assert!(matches!(refused, Bad::Unsupported(_)), "{text}: {refused}");
    }
    let few = Limits::new([(Limit::Entries, 2)]);
    let refused = of_text(&v1(), &few).unwrap_err();
    assert_eq!(refused, Bad::Above(Limit::Entries));
}

#[test]
fn definitions_that_do_not_hold_together_are_refused() {
    for (have, put) in [
        (r#"["step0:0"]"#, r#"["step1:0"]"#),
        (r#"["step0:0"]"#, r#"["step2:0"]"#),
        (r#"["step0:0"]"#, r#"["step0:x"]"#),
        (r#"{"exec": "#, r#"{"diff": {}, "exec": "#),
        (r#"{"exec": "#, r#"{"dance": "#),
        ("RlJPTSBh/w==", "RlJPTSBh/w="),
    ] {
        let text = v1().replace(have, put);
        assert_ne!(text, v1(), "{have}");
        assert!(of_text(&text, &LIMITS).is_err(), "{put}");
    }
}
