//! The stacker vectors against the native library.

use std::path::Path;
use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::host::Silent;
use layerwise::stacker::{
    self, Answer, BaseTag, Change, Effect, Equality, FileHash, HostFacts, LayerDefinition,
    LayerText, LayerType, Opened, Options, Semantics, Session, Stored,
};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_conformance::stacker::{Cache, Subject, run};

/// The native library.
struct Native;

struct NativeCache<'a>(Session<'a, MemoryFs, Silent>);

impl Subject for Native {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error> {
        Ok(Box::new(NativeCache(Session::open(
            fs.as_ref(),
            &Silent,
            options,
        )?)))
    }

    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
        stacker::hash_value(name, value, semantics)
    }

    fn vis(&self, name: &str) -> String {
        stacker::vis(name)
    }

    fn unvis(&self, text: &str) -> Result<String, Error> {
        stacker::unvis(text)
    }

    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error> {
        stacker::hash_file(fs.as_ref(), path)
    }

    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error> {
        stacker::tree_text(fs.as_ref(), root, host)
    }

    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error> {
        stacker::compare_tree(fs.as_ref(), stored, root)
    }

    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error> {
        stacker::parse_layer_type(text)
    }

    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        stacker::parse_tag(from, semantics)
    }

    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
        stacker::encode_layer(definition, semantics)
    }

    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        stacker::compare_layers(have, want, semantics)
    }
}

impl Cache for NativeCache<'_> {
    fn opened(&self) -> Opened {
        self.0.opened().clone()
    }

    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        self.0.define(definitions)
    }

    fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        self.0.lookup(name)
    }

    fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        self.0.base_hash(name)
    }

    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        self.0.put(name, manifests, host)
    }

    fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        self.0.plan(name, manifests, host)
    }

    fn explain(&mut self, name: &str) -> Explanation {
        self.0.explain(name)
    }

    fn causes(&self) -> Vec<Finding> {
        self.0.causes().to_vec()
    }

    fn entries(&self) -> Vec<String> {
        self.0.entries()
    }

    fn refresh(&mut self) {
        self.0.refresh();
    }
}

#[test]
fn every_vector() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/stacker.json.gz");
    let text = layerwise_conformance::load(&file).unwrap();
    let report = run(&Native, &text).unwrap();
    for mismatch in &report.mismatches {
        println!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    assert_eq!((report.passed, report.failed), (178, 0));
}

#[test]
fn unknown_members_kinds_and_steps_are_failures() {
    let failed = |case: &str| {
        let text = format!(
            r#"{{"format":"stacker-conformance/1","generated_with":{{"x":"y"}},"cases":[{case}]}}"#
        );
        run(&Native, &text).map(|report| report.failed)
    };
    let vis = r#"{"id":"a","kind":"vis","about":"b","input":"x","expect":{"output":"x"}}"#;
    assert_eq!(failed(vis), Ok(0));
    assert_eq!(
        failed(&vis.replace(r#"{"output":"x"}"#, r#"{"output":"y"}"#)),
        Ok(1)
    );
    assert_eq!(
        failed(&vis.replace(r#"{"output":"x"}"#, r#"{"output":"x","more":1}"#)),
        Ok(1)
    );
    assert_eq!(failed(&vis.replace(r#""input""#, r#""inputs""#)), Ok(1));
    assert_eq!(failed(&vis.replace(r#""vis""#, r#""viz""#)), Ok(1));
    assert!(failed(&vis.replace(r#""about":"b","#, "")).is_err());
    let scenario = |step: &str| {
        format!(
            r#"{{"id":"a","kind":"scenario","about":"b","version":16,"host":{{"user":"u","hostname":"h","now":"2024-01-01T00:00:00"}},
            "config":{{"stacker_dir":"/w","oci_dir":"/o","rootfs_dir":"/r","source_date_epoch":null}},"definitions":{{}},"fs":[],
            "steps":[{{"op":"open","expect":{{"outcome":"ok","state":"absent","entries":[],"pruned":[],"cache_file":null}}}},{step}]}}"#
        )
    };
    let lookup =
        r#"{"op":"lookup","name":"a","expect":{"outcome":"miss","reason":"layer-not-defined"}}"#;
    assert_eq!(failed(&scenario(lookup)), Ok(0));
    assert_eq!(
        failed(&scenario(&lookup.replace("not-defined", "known"))),
        Ok(1)
    );
    assert_eq!(
        failed(&scenario(
            &lookup.replace(r#""op":"lookup""#, r#""op":"look""#)
        )),
        Ok(1)
    );
    assert_eq!(
        failed(&scenario(
            &lookup.replace(r#""name":"a""#, r#""name":"a","x":1"#)
        )),
        Ok(1)
    );
    assert_eq!(failed(&scenario(r#"{"op":"lookup","name":"a"}"#)), Ok(1));
    assert_eq!(
        failed(&scenario(
            r#"{"op":"fs","write":[{"path":"/a","type":"weird"}]}"#
        )),
        Ok(1)
    );
}
