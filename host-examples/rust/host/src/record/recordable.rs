//! What crosses the boundary, as the generated types write themselves through
//! serde: names as Rust spells them, resources by their numbers.

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Value, json};
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache as exports;
use crate::bindings::layerwise::cache as imports;
use crate::values::Handles;

/// A value that crosses. `value` answers nothing for what serde cannot write.
///
/// Resources know nothing of serde; what is implemented for them directly is
/// found before the trait that holds for all other types.
pub struct Recordable<'a, T: ?Sized>(pub &'a T);

impl Recordable<'_, ResourceAny> {
    pub fn value(&self, handles: &mut Handles) -> Option<Value> {
        Some(json!({ "resource": handles.number(*self.0) }))
    }
}

impl<E: Serialize> Recordable<'_, Result<ResourceAny, E>> {
    pub fn value(&self, handles: &mut Handles) -> Option<Value> {
        Some(match self.0 {
            Ok(resource) => json!({ "Ok": Recordable(resource).value(handles)? }),
            Err(error) => json!({ "Err": serde_json::to_value(error).ok()? }),
        })
    }
}

/// All other values.
pub trait Plain {
    fn value(&self, handles: &mut Handles) -> Option<Value>;
}

impl<T: Serialize + ?Sized> Plain for Recordable<'_, T> {
    fn value(&self, _: &mut Handles) -> Option<Value> {
        serde_json::to_value(self.0).ok()
    }
}

/// Flags are written as the list of their names. One that is missing here is an
/// error, not left out.
macro_rules! flags {
    ($($ty:path { $($flag:ident = $name:literal),* })*) => {$(
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let mut rest = *self;
                let mut names = Vec::new();
                $(if rest.contains(Self::$flag) {
                    rest &= !Self::$flag;
                    names.push($name);
                })*
                if rest != Self::empty() {
                    return Err(S::Error::custom("a flag that is not known here"));
                }
                names.serialize(to)
            }
        }
    )*};
}

flags! {
    exports::buildkit::Policy {
        FALL_BACK = "fall-back", STRICT_RESULTS = "strict-results", CHECK_FIRST = "check-first"
    }
    exports::buildpacks::ImagePolicy {
        DELETE_ORIGINAL = "delete-original", ACCEPT_UNSCOPED = "accept-unscoped",
        KEEP_INTEGERS = "keep-integers"
    }
    exports::buildpacks::RestorePolicy {
        SKIP_LAYERS = "skip-layers", KEEP_INTEGERS = "keep-integers"
    }
    exports::docker::Policy {
        DRY_RUN = "dry-run", SKIP_UNREADABLE = "skip-unreadable",
        SAME_PLATFORM = "same-platform"
    }
    exports::docker::StepPlace { LAST = "last" }
    exports::stacker::Policy { DRY_RUN = "dry-run" }
    imports::filesystem::Facts {
        TARGET = "target", ATTRIBUTES = "attributes", CONTENT = "content"
    }
    imports::image_store::Facts { DOCUMENT = "document", PARENT = "parent", BUILT = "built" }
}
