//! The manual: what the decisions mean, how to ask for them from each language,
//! and how to change this project. The exact rules are in the specification of
//! each system: [`docker`](crate::docker::spec),
//! [`dockerfile`](crate::dockerfile::spec), [`builds`](crate::builds::spec),
//! [`buildpacks`](crate::buildpacks::spec), [`buildkit`](crate::buildkit::spec)
//! and [`stacker`](crate::stacker::spec).

#[doc = include_str!("manual/concepts.md")]
pub mod concepts {}

#[doc = include_str!("manual/command_line.md")]
pub mod command_line {}

// Its examples use the host, and are run with those of `layerwise-host`.
#[cfg_attr(not(doctest), doc = include_str!("manual/rust.md"))]
pub mod rust {}

#[doc = include_str!("manual/python.md")]
pub mod python {}

#[doc = include_str!("manual/javascript.md")]
pub mod javascript {}

#[doc = include_str!("manual/go.md")]
pub mod go {}

#[doc = include_str!("manual/adding_a_rule.md")]
pub mod adding_a_rule {}

#[doc = include_str!("manual/adding_a_system.md")]
pub mod adding_a_system {}

#[doc = include_str!("manual/vectors.md")]
pub mod vectors {}

#[doc = include_str!("manual/releasing.md")]
pub mod releasing {}
