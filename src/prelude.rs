//! What `std` puts into every file and `core` does not, for the component.

#![allow(
    unused_imports,
    reason = "each file uses its part, and std has them natively"
)]

pub(crate) use alloc::borrow::{Cow, ToOwned};
pub(crate) use alloc::boxed::Box;
#[cfg(not(feature = "component"))]
pub(crate) use alloc::collections::{BTreeMap, BTreeSet};
pub(crate) use alloc::format;
pub(crate) use alloc::rc::Rc;
pub(crate) use alloc::string::{String, ToString};
pub(crate) use alloc::vec;
pub(crate) use alloc::vec::Vec;

pub(crate) use crate::ordered::sort::{sort, sort_by, sort_by_key};
#[cfg(feature = "component")]
pub(crate) use crate::ordered::{Map as BTreeMap, Set as BTreeSet};
