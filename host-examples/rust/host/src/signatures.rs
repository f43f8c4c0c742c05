//! The functions a component exports and imports, with their types, by the names
//! transcripts give them: `docker#open`, `docker#[method]session.lookup`.

use std::collections::BTreeMap;

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Type};

/// All functions of a component.
#[derive(Debug, Default)]
pub struct Signatures {
    functions: BTreeMap<String, Signature>,
    component: String,
}

/// One function.
#[derive(Debug)]
pub struct Signature {
    /// The interface it is in, by its whole name.
    pub interface: String,
    /// Its name in the interface.
    pub function: String,
    /// Whether the host provides it.
    pub imported: bool,
    pub params: Vec<Type>,
    pub result: Option<Type>,
}

impl Signatures {
    /// Those of a component.
    pub fn of(component: &Component) -> Self {
        let engine = component.engine();
        let ty = component.component_type();
        let mut signatures = Self::default();
        let imports = ty.imports(engine).map(|(name, item)| (name, item, true));
        let exports = ty.exports(engine).map(|(name, item)| (name, item, false));
        for (interface, item, imported) in imports.chain(exports) {
            let ComponentItem::ComponentInstance(instance) = item.ty else {
                continue;
            };
            for (function, item) in instance.exports(engine) {
                if let ComponentItem::ComponentFunc(ty) = item.ty {
                    signatures.add(interface, function, imported, &ty);
                }
            }
        }
        signatures
    }

    fn add(&mut self, interface: &str, function: &str, imported: bool, ty: &ComponentFunc) {
        // As in `layerwise:cache/docker@0.1.0`.
        let (package, rest) = interface.split_once('/').unwrap_or(("", interface));
        let (short, version) = rest.split_once('@').unwrap_or((rest, ""));
        self.component = format!("{package}@{version}");
        let signature = Signature {
            interface: interface.to_owned(),
            function: function.to_owned(),
            imported,
            params: ty.params().map(|(_, ty)| ty).collect(),
            result: ty.results().next(),
        };
        self.functions
            .insert(format!("{short}#{function}"), signature);
    }

    /// A function.
    pub fn get(&self, name: &str) -> Option<&Signature> {
        self.functions.get(name)
    }

    /// All functions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Signature)> {
        self.functions
            .iter()
            .map(|(name, signature)| (name.as_str(), signature))
    }

    /// The package and its version.
    pub fn component(&self) -> &str {
        &self.component
    }
}
