//! The document of a package.

use serde_json::{Map, Value, json};
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, InterfaceId, PackageId, Resolve, Type,
    TypeDef, TypeDefKind, TypeId, TypeOwner, World, WorldItem,
};

/// The document of a package whose every type has a name in an interface of its own.
pub fn of(resolve: &Resolve, package: PackageId) -> Result<Value, String> {
    let found = resolve
        .packages
        .get(package)
        .ok_or("the package is not among those that were read")?;
    let all = Package { resolve };
    let interfaces: Result<Vec<Value>, String> = found
        .interfaces
        .values()
        .map(|id| all.interface(*id))
        .collect();
    let worlds: Result<Map<String, Value>, String> = found
        .worlds
        .iter()
        .map(|(name, id)| {
            let world = resolve.worlds.get(*id).ok_or("a world is missing")?;
            Ok((name.clone(), all.world(world)?))
        })
        .collect();
    Ok(json!({
        "package": format!("{}:{}", found.name.namespace, found.name.name),
        "version": found.name.version.as_ref().map(ToString::to_string),
        "worlds": worlds?,
        "interfaces": interfaces?,
    }))
}

struct Package<'a> {
    resolve: &'a Resolve,
}

impl<'a> Package<'a> {
    fn world(&self, world: &World) -> Result<Value, String> {
        let names = |items: &mut dyn Iterator<Item = &WorldItem>| -> Result<Vec<&str>, String> {
            items
                .map(|item| match item {
                    WorldItem::Interface { id, .. } => self.name(*id),
                    _ => Err(format!("the world {} has more than interfaces", world.name)),
                })
                .collect()
        };
        Ok(json!({
            "imports": names(&mut world.imports.values())?,
            "exports": names(&mut world.exports.values())?,
        }))
    }

    fn interface(&self, id: InterfaceId) -> Result<Value, String> {
        let interface = self.get(id)?;
        let mut uses = Map::new();
        let mut types = Vec::new();
        for (name, id) in &interface.types {
            let definition = self.definition(*id)?;
            match definition.kind {
                TypeDefKind::Type(Type::Id(used)) if self.owner(used)? != self.owner(*id)? => {
                    uses.insert(name.clone(), json!(self.name(self.owner(used)?)?));
                }
                _ => types.push(self.type_definition(name, *id, definition, interface)?),
            }
        }
        let functions: Result<Vec<Value>, String> = interface
            .functions
            .values()
            .filter(|function| function.kind == FunctionKind::Freestanding)
            .map(|function| self.function(function))
            .collect();
        Ok(json!({
            "name": self.name(id)?,
            "docs": docs(&interface.docs),
            "uses": uses,
            "types": types,
            "functions": functions?,
        }))
    }

    fn type_definition(
        &self,
        name: &str,
        id: TypeId,
        definition: &TypeDef,
        interface: &Interface,
    ) -> Result<Value, String> {
        let member = |name: &str, about: &Docs, of: Option<&Type>| -> Result<Value, String> {
            Ok(json!({"name": name, "docs": docs(about), "type": self.optional(of)?}))
        };
        let members: Result<Vec<Value>, String> = match &definition.kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|one| member(&one.name, &one.docs, Some(&one.ty)))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|one| member(&one.name, &one.docs, one.ty.as_ref()))
                .collect(),
            TypeDefKind::Enum(cases) => cases
                .cases
                .iter()
                .map(|one| member(&one.name, &one.docs, None))
                .collect(),
            TypeDefKind::Flags(flags) => flags
                .flags
                .iter()
                .map(|one| member(&one.name, &one.docs, None))
                .collect(),
            TypeDefKind::Resource => {
                let methods: Result<Vec<Value>, String> = interface
                    .functions
                    .values()
                    .filter(|function| function.kind == FunctionKind::Method(id))
                    .map(|function| self.function(function))
                    .collect();
                return Ok(json!({
                    "name": name,
                    "docs": docs(&definition.docs),
                    "kind": "resource",
                    "functions": methods?,
                }));
            }
            kind => {
                return Ok(json!({
                    "name": name,
                    "docs": docs(&definition.docs),
                    "kind": "type",
                    "of": self.constructed(kind)?,
                }));
            }
        };
        Ok(json!({
            "name": name,
            "docs": docs(&definition.docs),
            "kind": definition.kind.as_str(),
            "members": members?,
        }))
    }

    fn function(&self, function: &Function) -> Result<Value, String> {
        let receiver = usize::from(function.kind != FunctionKind::Freestanding);
        let params: Result<Vec<Value>, String> = function
            .params
            .iter()
            .skip(receiver)
            .map(|param| Ok(json!({"name": param.name, "type": self.of(&param.ty)?})))
            .collect();
        Ok(json!({
            "name": function.item_name(),
            "docs": docs(&function.docs),
            "params": params?,
            "result": self.optional(function.result.as_ref())?,
        }))
    }

    fn optional(&self, of: Option<&Type>) -> Result<Value, String> {
        of.map_or(Ok(Value::Null), |of| self.of(of))
    }

    /// A type where it is used.
    fn of(&self, of: &Type) -> Result<Value, String> {
        let Type::Id(id) = of else {
            return Ok(json!(primitive(of)?));
        };
        let definition = self.definition(*id)?;
        match (&definition.name, &definition.kind) {
            // What comes from another interface by `use` is that interface's.
            (Some(_), TypeDefKind::Type(of @ Type::Id(used)))
                if self.owner(*used)? != self.owner(*id)? =>
            {
                self.of(of)
            }
            (Some(name), _) => Ok(json!(format!("{}/{name}", self.name(self.owner(*id)?)?))),
            (None, kind) => self.constructed(kind),
        }
    }

    /// A type without a name.
    fn constructed(&self, kind: &TypeDefKind) -> Result<Value, String> {
        Ok(match kind {
            TypeDefKind::Type(of) => self.of(of)?,
            TypeDefKind::List(of) => json!(["list", self.of(of)?]),
            TypeDefKind::Option(of) => json!(["option", self.of(of)?]),
            TypeDefKind::Result(of) => json!([
                "result",
                self.optional(of.ok.as_ref())?,
                self.optional(of.err.as_ref())?
            ]),
            TypeDefKind::Tuple(of) => {
                let mut all = vec![json!("tuple")];
                for one in &of.types {
                    all.push(self.of(one)?);
                }
                Value::Array(all)
            }
            TypeDefKind::Handle(Handle::Borrow(id)) => json!(["borrow", self.of(&Type::Id(*id))?]),
            TypeDefKind::Handle(Handle::Own(id)) => self.of(&Type::Id(*id))?,
            other => return Err(format!("a {} is not supported", other.as_str())),
        })
    }

    fn definition(&self, id: TypeId) -> Result<&'a TypeDef, String> {
        let found = self.resolve.types.get(id);
        found.ok_or_else(|| "a type is missing".to_owned())
    }

    fn owner(&self, id: TypeId) -> Result<InterfaceId, String> {
        match self.definition(id)?.owner {
            TypeOwner::Interface(id) => Ok(id),
            _ => Err("a type is outside of interfaces".to_owned()),
        }
    }

    fn get(&self, id: InterfaceId) -> Result<&'a Interface, String> {
        let found = self.resolve.interfaces.get(id);
        found.ok_or_else(|| "an interface is missing".to_owned())
    }

    fn name(&self, id: InterfaceId) -> Result<&'a str, String> {
        let name = self.get(id)?.name.as_deref();
        name.ok_or_else(|| "an interface has no name".to_owned())
    }
}

fn primitive(of: &Type) -> Result<&'static str, String> {
    Ok(match of {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        other => return Err(format!("the type {other:?} is not supported")),
    })
}

fn docs(docs: &Docs) -> &str {
    docs.contents.as_deref().unwrap_or_default()
}
