//! A store that was opened, for sessions over it.

use std::io::{self, Write as _};
use std::sync::Arc;

use layerwise::docker::{Options, Policy, StoreKind};
use layerwise::host::{Image, ImageStore};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::docker::Session;
use layerwise_host::{Engine, Imports};
use layerwise_stores::Images;

use super::args::SessionArgs;
use super::{place, trust};
use crate::args::Global;
use crate::failed::Failed;
use crate::text;

/// A store, and how sessions over it are opened.
pub struct Opened<'a> {
    pub args: &'a SessionArgs,
    pub engine: Engine,
    pub store: Arc<dyn Images + Send + Sync>,
    /// Every name in the store.
    pub names: Vec<String>,
    /// The kind of the store, and the machine whose engine has it.
    kind: StoreKind,
    machine: Platform,
    pub semantics: Semantics,
}

/// Which sources a session has.
#[derive(Clone, Copy)]
pub enum Sources {
    /// Those that the user gave.
    Given,
    /// None: local images only.
    None,
}

impl<'a> Opened<'a> {
    pub fn new(global: &Global, args: &'a SessionArgs) -> Result<Self, Failed> {
        let opened = place::open(&args.store)?;
        if let Some(first) = opened.passed.first() {
            let why = text::escape(&first.failure.message);
            let more = match opened.passed.len() {
                1 => String::new(),
                all => format!(", and {} more", all - 1),
            };
            // A warning that cannot be written must not end the command.
            let _ = writeln!(
                io::stderr(),
                "warning: passed over in the store{more}: {why}"
            );
        }
        if !opened.unproved.is_empty() {
            let count = opened.unproved.len();
            let store = text::escape(&args.store);
            let _ = writeln!(
                io::stderr(),
                "warning: {count} built-here marks in the store are not by this host's key and do \
                 not count; `layerwise docker adopt --marked --store {store}` makes them count, if \
                 these images were built here"
            );
        }
        Ok(Self {
            args,
            store: Arc::from(opened.images),
            names: opened.names,
            kind: opened.kind,
            machine: layerwise_stores::machine(),
            engine: crate::io::engine(global)?,
            semantics: args.reading.semantics(),
        })
    }

    /// An image by its id or name; `scratch` is none.
    pub fn image(&self, what: &str, name: &str) -> Result<Option<Image>, Failed> {
        if name == "scratch" {
            return Ok(None);
        }
        crate::io::resolve(&*self.store, what, name).map(Some)
    }

    pub fn session(&self, dry_run: bool) -> Result<Session, Failed> {
        self.session_over(self.store.clone(), dry_run, Sources::Given, None)
    }

    /// A session over other images than those of the store, with the image of the last
    /// build.
    pub fn session_over(
        &self,
        images: Arc<dyn ImageStore + Send + Sync>,
        dry_run: bool,
        sources: Sources,
        last: Option<&str>,
    ) -> Result<Session, Failed> {
        let args = self.args;
        let cache_from = match sources {
            Sources::Given => trust::sources(args, &*self.store)?,
            Sources::None => Vec::new(),
        };
        let options = Options {
            semantics: self.semantics.clone(),
            cache_from,
            policy: Policy {
                dry_run,
                skip_unreadable: args.skip_unreadable,
                same_platform: args.same_platform,
            },
            store: self.kind,
            machine: self.machine.clone(),
            host_os: args.host_os.clone(),
            docker_version: args.docker_version.clone(),
            last: last.map(str::to_owned),
            limits: args.limits.named.clone(),
        };
        let lent = Imports {
            images,
            ..Imports::default()
        };
        Ok(self
            .engine
            .docker(lent, options, args.limits.of_session())?)
    }
}
