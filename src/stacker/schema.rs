//! The structures of the cache file and of OCI documents, as data: what the
//! reader, the writer, the entry hash and the comparison go by (stacker spec,
//! section 3.1). A new version is a new table.

/// What kind of value a member is.
#[derive(Debug)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// A signed integer of 64 bits.
    Integer,
    /// An unsigned integer of 32 bits.
    Word,
    /// Bytes, as base64 in JSON.
    Bytes,
    /// A time stamp; only its validity matters.
    Time,
    /// Anything; only its presence matters.
    Any,
    Pointer(&'static Kind),
    List(&'static Kind),
    Map(&'static Kind),
    /// A map whose keys are layer types.
    Types(&'static Kind),
    Record(&'static Record),
    /// A record of a source and a destination with a reading of its own
    /// (stacker spec, section 3.3).
    Bind(&'static Record),
}

/// A structure.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its type name, which is hashed.
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// A field of a structure.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its Go name, which is hashed.
    pub name: &'static str,
    /// Its JSON name.
    pub member: &'static str,
    /// Left out of JSON when empty.
    pub omit: bool,
    pub kind: Kind,
}

/// A field that is always written.
const fn field(name: &'static str, member: &'static str, kind: Kind) -> Field {
    Field {
        name,
        member,
        omit: false,
        kind,
    }
}

/// A field that is left out when empty.
const fn omit(name: &'static str, member: &'static str, kind: Kind) -> Field {
    Field {
        name,
        member,
        omit: true,
        kind,
    }
}

/// A field whose JSON name is its Go name.
const fn same(name: &'static str, kind: Kind) -> Field {
    field(name, name, kind)
}

use Kind::{Any, Bind, Bool, Bytes, Integer, List, Map, Pointer, Text, Time, Types, Word};

const TEXTS: Kind = List(&Text);
const PAIRS: Kind = Map(&Text);

/// The structures of one version.
#[derive(Debug)]
pub(crate) struct Schema {
    pub entry: Record,
    pub layer: Record,
    pub manifests: Kind,
    pub manifest: Record,
    pub index: Record,
    pub image: Record,
    pub descriptor: Record,
    /// The structures that can be hashed by name. Two have the name `Imports`:
    /// what an entry records, a map, and what a layer lists.
    pub named: &'static [(&'static str, Kind)],
}

pub(crate) static V12: Schema = Schema {
    entry: ENTRY_12,
    layer: LAYER_12,
    manifests: Types(&Kind::Record(&DESCRIPTOR_12)),
    manifest: Record {
        name: "Manifest",
        fields: &[
            field("SchemaVersion", "schemaVersion", Integer),
            omit("MediaType", "mediaType", Text),
            field("Config", "config", Kind::Record(&DESCRIPTOR_12)),
            field("Layers", "layers", List(&Kind::Record(&DESCRIPTOR_12))),
            omit("Annotations", "annotations", PAIRS),
            omit("Manifests", "manifests", Any),
        ],
    },
    index: Record {
        name: "Index",
        fields: &[
            field("SchemaVersion", "schemaVersion", Integer),
            omit("MediaType", "mediaType", Text),
            field(
                "Manifests",
                "manifests",
                List(&Kind::Record(&DESCRIPTOR_12)),
            ),
            omit("Annotations", "annotations", PAIRS),
            omit("Config", "config", Any),
            omit("Layers", "layers", Any),
        ],
    },
    image: IMAGE,
    descriptor: DESCRIPTOR_12,
    named: &[
        ("CacheEntry", Kind::Record(&ENTRY_12)),
        ("Layer", Kind::Record(&LAYER_12)),
        ("ImageSource", Kind::Record(&SOURCE_12)),
        ("Import", Kind::Record(&IMPORT_12)),
        ("OverlayDir", Kind::Record(&OVERLAY_DIR)),
        ("Bind", Kind::Record(&BIND_12)),
        ("ImportHash", Kind::Record(&IMPORT_HASH)),
        ("OverlayDirHash", Kind::Record(&OVERLAY_DIR_HASH)),
        ("Descriptor", Kind::Record(&DESCRIPTOR_12)),
        ("Platform", Kind::Record(&PLATFORM)),
        ("Manifests", Types(&Kind::Record(&DESCRIPTOR_12))),
        ("Imports", Map(&Kind::Record(&IMPORT_HASH))),
        ("Imports", List(&Kind::Record(&IMPORT_12))),
        ("OverlayDirs", Map(&Kind::Record(&OVERLAY_DIR_HASH))),
    ],
};

pub(crate) static V16: Schema = Schema {
    entry: ENTRY_16,
    layer: LAYER_16,
    manifests: Types(&Kind::Record(&DESCRIPTOR_16)),
    manifest: Record {
        name: "Manifest",
        fields: &[
            field("SchemaVersion", "schemaVersion", Integer),
            omit("MediaType", "mediaType", Text),
            omit("ArtifactType", "artifactType", Text),
            field("Config", "config", Kind::Record(&DESCRIPTOR_16)),
            field("Layers", "layers", List(&Kind::Record(&DESCRIPTOR_16))),
            omit("Subject", "subject", Pointer(&Kind::Record(&DESCRIPTOR_16))),
            omit("Annotations", "annotations", PAIRS),
            omit("Manifests", "manifests", Any),
        ],
    },
    index: Record {
        name: "Index",
        fields: &[
            field("SchemaVersion", "schemaVersion", Integer),
            omit("MediaType", "mediaType", Text),
            omit("ArtifactType", "artifactType", Text),
            field(
                "Manifests",
                "manifests",
                List(&Kind::Record(&DESCRIPTOR_16)),
            ),
            omit("Subject", "subject", Pointer(&Kind::Record(&DESCRIPTOR_16))),
            omit("Annotations", "annotations", PAIRS),
            omit("Config", "config", Any),
            omit("Layers", "layers", Any),
        ],
    },
    image: IMAGE,
    descriptor: DESCRIPTOR_16,
    named: &[
        ("CacheEntry", Kind::Record(&ENTRY_16)),
        ("Layer", Kind::Record(&LAYER_16)),
        ("ImageSource", Kind::Record(&SOURCE_16)),
        ("Import", Kind::Record(&IMPORT_16)),
        ("OverlayDir", Kind::Record(&OVERLAY_DIR)),
        ("Bind", Bind(&BIND_16)),
        ("Bom", Kind::Record(&BOM)),
        ("Package", Kind::Record(&PACKAGE)),
        ("ImportHash", Kind::Record(&IMPORT_HASH)),
        ("OverlayDirHash", Kind::Record(&OVERLAY_DIR_HASH)),
        ("Descriptor", Kind::Record(&DESCRIPTOR_16)),
        ("Platform", Kind::Record(&PLATFORM)),
        ("Manifests", Types(&Kind::Record(&DESCRIPTOR_16))),
        ("Imports", Map(&Kind::Record(&IMPORT_HASH))),
        ("Imports", List(&Kind::Record(&IMPORT_16))),
        ("OverlayDirs", Map(&Kind::Record(&OVERLAY_DIR_HASH))),
    ],
};

/// `oci-layout`.
pub(crate) static LAYOUT: Record = Record {
    name: "ImageLayout",
    fields: &[field("Version", "imageLayoutVersion", Text)],
};

const ENTRY_12: Record = Record {
    name: "CacheEntry",
    fields: &[
        same("Manifests", Types(&Kind::Record(&DESCRIPTOR_12))),
        same("Imports", Map(&Kind::Record(&IMPORT_HASH))),
        same("OverlayDirs", Map(&Kind::Record(&OVERLAY_DIR_HASH))),
        same("Name", Text),
        same("Layer", Kind::Record(&LAYER_12)),
        same("Base", Text),
    ],
};

const ENTRY_16: Record = Record {
    name: "CacheEntry",
    fields: &[
        same("Manifests", Types(&Kind::Record(&DESCRIPTOR_16))),
        same("Imports", Map(&Kind::Record(&IMPORT_HASH))),
        same("OverlayDirs", Map(&Kind::Record(&OVERLAY_DIR_HASH))),
        same("Name", Text),
        same("Layer", Kind::Record(&LAYER_16)),
        same("Base", Text),
        omit("SourceDateEpoch", "source_date_epoch", Pointer(&Integer)),
    ],
};

const IMPORT_HASH: Record = Record {
    name: "ImportHash",
    fields: &[same("Type", Integer), same("Hash", Text)],
};

const OVERLAY_DIR_HASH: Record = Record {
    name: "OverlayDirHash",
    fields: &[same("Hash", Text)],
};

const LAYER_12: Record = Record {
    name: "Layer",
    fields: &[
        same("From", Kind::Record(&SOURCE_12)),
        same("Imports", List(&Kind::Record(&IMPORT_12))),
        same("OverlayDirs", List(&Kind::Record(&OVERLAY_DIR))),
        same("Run", TEXTS),
        same("Cmd", TEXTS),
        same("Entrypoint", TEXTS),
        same("FullCommand", TEXTS),
        same("BuildEnvPt", TEXTS),
        same("BuildEnv", PAIRS),
        same("Environment", PAIRS),
        same("Volumes", TEXTS),
        same("Labels", PAIRS),
        same("GenerateLabels", TEXTS),
        same("WorkingDir", Text),
        same("BuildOnly", Bool),
        same("Binds", List(&Kind::Record(&BIND_12))),
        same("RuntimeUser", Text),
    ],
};

const LAYER_16: Record = Record {
    name: "Layer",
    fields: &[
        field("From", "from", Kind::Record(&SOURCE_16)),
        omit("Imports", "imports", List(&Kind::Record(&IMPORT_16))),
        omit("LegacyImport", "import", List(&Kind::Record(&IMPORT_16))),
        omit(
            "OverlayDirs",
            "overlay_dirs",
            List(&Kind::Record(&OVERLAY_DIR)),
        ),
        omit("Run", "run", TEXTS),
        omit("Cmd", "cmd", TEXTS),
        omit("Entrypoint", "entrypoint", TEXTS),
        omit("FullCommand", "full_command", TEXTS),
        omit("BuildEnvPt", "build_env_passthrough", TEXTS),
        omit("BuildEnv", "build_env", PAIRS),
        omit("Environment", "environment", PAIRS),
        omit("Volumes", "volumes", TEXTS),
        omit("Labels", "labels", PAIRS),
        omit("GenerateLabels", "generate_labels", TEXTS),
        omit("WorkingDir", "working_dir", Text),
        omit("BuildOnly", "build_only", Bool),
        omit("Binds", "binds", List(&Bind(&BIND_16))),
        omit("RuntimeUser", "runtime_user", Text),
        omit("Annotations", "annotations", PAIRS),
        omit("OS", "os", Pointer(&Text)),
        omit("Arch", "arch", Pointer(&Text)),
        omit("Bom", "bom", Pointer(&Kind::Record(&BOM))),
        omit("WasLegacyImport", "was_legacy_import", Bool),
        omit("WasBom", "was_bom", Bool),
    ],
};

const SOURCE_12: Record = Record {
    name: "ImageSource",
    fields: &[
        same("Type", Text),
        same("Url", Text),
        same("Tag", Text),
        same("Insecure", Bool),
    ],
};

const SOURCE_16: Record = Record {
    name: "ImageSource",
    fields: &[
        field("Type", "type", Text),
        omit("Url", "url", Text),
        omit("Tag", "tag", Text),
        omit("Insecure", "insecure", Bool),
    ],
};

const IMPORT_12: Record = Record {
    name: "Import",
    fields: &[same("Path", Text), same("Hash", Text)],
};

const IMPORT_16: Record = Record {
    name: "Import",
    fields: &[
        field("Path", "path", Text),
        omit("Hash", "hash", Text),
        omit("Dest", "dest", Text),
        omit("Mode", "mode", Pointer(&Word)),
        omit("Uid", "uid", Integer),
        omit("Gid", "gid", Integer),
    ],
};

const OVERLAY_DIR: Record = Record {
    name: "OverlayDir",
    fields: &[same("Source", Text), same("Dest", Text)],
};

const BIND_12: Record = Record {
    name: "Bind",
    fields: &[same("Source", Text), same("Dest", Text)],
};

const BIND_16: Record = Record {
    name: "Bind",
    fields: &[omit("Source", "source", Text), omit("Dest", "dest", Text)],
};

const BOM: Record = Record {
    name: "Bom",
    fields: &[
        field("Generate", "generate", Bool),
        field("Namespace", "namespace", Text),
        omit("Packages", "packages", List(&Kind::Record(&PACKAGE))),
    ],
};

const PACKAGE: Record = Record {
    name: "Package",
    fields: &[
        same("Name", Text),
        same("Version", Text),
        same("License", Text),
        same("Paths", TEXTS),
    ],
};

const DESCRIPTOR_12: Record = Record {
    name: "Descriptor",
    fields: &[
        omit("MediaType", "mediaType", Text),
        field("Digest", "digest", Text),
        field("Size", "size", Integer),
        omit("URLs", "urls", TEXTS),
        omit("Annotations", "annotations", PAIRS),
        omit("Platform", "platform", Pointer(&Kind::Record(&PLATFORM))),
    ],
};

const DESCRIPTOR_16: Record = Record {
    name: "Descriptor",
    fields: &[
        field("MediaType", "mediaType", Text),
        field("Digest", "digest", Text),
        field("Size", "size", Integer),
        omit("URLs", "urls", TEXTS),
        omit("Annotations", "annotations", PAIRS),
        omit("Data", "data", Bytes),
        omit("Platform", "platform", Pointer(&Kind::Record(&PLATFORM))),
        omit("ArtifactType", "artifactType", Text),
    ],
};

const PLATFORM: Record = Record {
    name: "Platform",
    fields: &[
        field("Architecture", "architecture", Text),
        field("OS", "os", Text),
        omit("OSVersion", "os.version", Text),
        omit("OSFeatures", "os.features", TEXTS),
        omit("Variant", "variant", Text),
    ],
};

const IMAGE: Record = Record {
    name: "Image",
    fields: &[
        omit("Created", "created", Pointer(&Time)),
        omit("Author", "author", Text),
        field("Architecture", "architecture", Text),
        field("OS", "os", Text),
        omit("OSVersion", "os.version", Text),
        omit("OSFeatures", "os.features", TEXTS),
        omit("Variant", "variant", Text),
        field("Config", "config", Kind::Record(&IMAGE_CONFIG)),
        field("RootFS", "rootfs", Kind::Record(&ROOT_FS)),
        omit("History", "history", List(&Kind::Record(&HISTORY))),
    ],
};

const IMAGE_CONFIG: Record = Record {
    name: "ImageConfig",
    fields: &[
        omit("User", "User", Text),
        omit("ExposedPorts", "ExposedPorts", Map(&NOTHING)),
        omit("Env", "Env", TEXTS),
        omit("Entrypoint", "Entrypoint", TEXTS),
        omit("Cmd", "Cmd", TEXTS),
        omit("Volumes", "Volumes", Map(&NOTHING)),
        omit("WorkingDir", "WorkingDir", Text),
        omit("Labels", "Labels", PAIRS),
        omit("StopSignal", "StopSignal", Text),
        omit("ArgsEscaped", "ArgsEscaped", Bool),
    ],
};

const NOTHING: Kind = Kind::Record(&Record {
    name: "",
    fields: &[],
});

const ROOT_FS: Record = Record {
    name: "RootFS",
    fields: &[
        field("Type", "type", Text),
        field("DiffIDs", "diff_ids", TEXTS),
    ],
};

const HISTORY: Record = Record {
    name: "History",
    fields: &[
        omit("Created", "created", Pointer(&Time)),
        omit("CreatedBy", "created_by", Text),
        omit("Author", "author", Text),
        omit("Comment", "comment", Text),
        omit("EmptyLayer", "empty_layer", Bool),
    ],
};
