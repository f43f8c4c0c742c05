//! The stores of layerwise as a component over WASI: it exports what the component with the
//! decisions imports.
//!
//! | file | what it is |
//! |---|---|
//! | `settings` | which stores are meant: the environment |
//! | `images` | the export `image-store`: image layouts, data roots, archives |
//! | `content` | the export `registry`: registries over `wasi:http`, image layouts, volume caches |
//! | `files` | the export `filesystem`: texts and digests of files |
//! | `watch` | the export `observer`: standard error |
//! | `types` | the shared types in both directions |
//!
//! What WASI cannot tell or do is `unsupported`: owners, modes and attributes of files, locks, and
//! so everything that writes to a directory.

#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "generated bindings")]

mod content;
mod files;
mod images;
mod settings;
mod types;
mod watch;

mod bindings {
    #![allow(missing_docs, reason = "generated; wit/ holds the documentation")]

    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package layerwise:wasi@0.1.0;

            world stores {
                export layerwise:cache/types@0.1.0;
                export layerwise:cache/image-store@0.1.0;
                export layerwise:cache/registry@0.1.0;
                export layerwise:cache/filesystem@0.1.0;
                export layerwise:cache/observer@0.1.0;
            }
        ",
        generate_all,
    });
}

/// The exports.
struct Stores;

bindings::export!(Stores with_types_in bindings);
