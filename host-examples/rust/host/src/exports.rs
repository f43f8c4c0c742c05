//! What a component exports, interface by interface: one of a smaller world has fewer.

use std::fmt;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::exports::layerwise::cache as wit;
use crate::imports::State;

/// The interface is not among the exports of the component.
#[derive(Debug)]
pub struct NotExported(&'static str);

impl fmt::Display for NotExported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(
            f,
            "the component does not export {name:?}; use one of a world that does"
        )
    }
}

impl std::error::Error for NotExported {}

/// Declares the interfaces with the names that calls use.
macro_rules! exports {
    ($($field:ident, $method:ident, $name:literal;)+) => {
        /// Where the functions of each interface are in a component.
        #[derive(Clone)]
        pub struct Indices {
            $($field: Option<wit::$field::GuestIndices>,)+
        }

        /// The functions of each interface in an instance.
        pub struct Exports {
            $($field: Option<wit::$field::Guest>,)+
        }

        impl Indices {
            /// Those of a component.
            pub fn of(pre: &InstancePre<State>) -> wasmtime::Result<Self> {
                let component = pre.component();
                let exported = |name| component.get_export_index(None, name).is_some();
                $(
                    let name = concat!("layerwise:cache/", $name, "@0.1.0");
                    let $field = match exported(name) {
                        true => Some(wit::$field::GuestIndices::new(pre)?),
                        false => None,
                    };
                )+
                Ok(Self { $($field,)+ })
            }

            /// The same in an instance of it.
            pub fn load(
                &self,
                store: &mut Store<State>,
                instance: &Instance,
            ) -> wasmtime::Result<Exports> {
                Ok(Exports {
                    $($field: match &self.$field {
                        Some(indices) => Some(indices.load(&mut *store, instance)?),
                        None => None,
                    },)+
                })
            }
        }

        impl Exports {
            $(
                pub fn $method(&self) -> wasmtime::Result<&wit::$field::Guest> {
                    self.$field.as_ref().ok_or_else(|| NotExported($name).into())
                }
            )+
        }
    };
}

exports! {
    docker, layerwise_cache_docker, "docker";
    dockerfile, layerwise_cache_dockerfile, "dockerfile";
    buildpacks, layerwise_cache_buildpacks, "buildpacks";
    buildkit, layerwise_cache_buildkit, "buildkit";
    builds, layerwise_cache_builds, "builds";
    stacker, layerwise_cache_stacker, "stacker";
    rules, layerwise_cache_rules, "rules";
    testing, layerwise_cache_testing, "testing";
}
