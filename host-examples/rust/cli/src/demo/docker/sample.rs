//! The images of the demonstration: a base that was pulled, a step that was
//! built on it here, and an application that was built on it elsewhere.

use layerwise::host::Provenance;
use layerwise::oci::Platform;
use layerwise_stores::{Memory, Order};

/// The config of `RUN make`.
pub const MAKE: &str = r#"{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make"]}"#;

/// The same step in another environment.
pub const CHANGED: &str = r#"{"Env":["PATH=/bin","MODE=safe"],"Cmd":["/bin/sh","-c","make"]}"#;

/// The config of `RUN make test`, which ran elsewhere only.
pub const TEST: &str = r#"{"Env":["PATH=/bin","MODE=fast"],"Cmd":["/bin/sh","-c","make test"]}"#;

const BASE: &str = concat!(
    r#"{"architecture":"amd64","created":"2026-01-01T00:00:00Z","#,
    r#""history":[{"created":"2026-01-01T00:00:00Z","created_by":"ADD rootfs.tar /"}],"#,
    r#""os":"linux","rootfs":{"type":"layers","diff_ids":["#,
    r#""sha256:1111111111111111111111111111111111111111111111111111111111111111"]}}"#
);

const APP: &str = concat!(
    r#"{"architecture":"amd64","created":"2026-01-03T00:00:00Z","#,
    r#""history":[{"created":"2026-01-01T00:00:00Z","created_by":"ADD rootfs.tar /"},"#,
    r#"{"created":"2026-01-02T00:00:00Z","created_by":"/bin/sh -c make test"},"#,
    r#"{"created":"2026-01-03T00:00:00Z","created_by":"/bin/sh -c make install"}],"#,
    r#""os":"linux","rootfs":{"type":"layers","diff_ids":["#,
    r#""sha256:1111111111111111111111111111111111111111111111111111111111111111","#,
    r#""sha256:2222222222222222222222222222222222222222222222222222222222222222","#,
    r#""sha256:3333333333333333333333333333333333333333333333333333333333333333"]}}"#
);

/// The store, and the base in it.
pub struct Sample {
    pub images: Memory,
    pub base: String,
}

/// A fresh store with the images.
pub fn images() -> Sample {
    let built = format!(
        concat!(
            r#"{{"architecture":"amd64","container_config":{},"created":"2026-01-02T00:00:00Z","#,
            r#""history":[{{"created":"2026-01-01T00:00:00Z","created_by":"ADD rootfs.tar /"}},"#,
            r#"{{"created":"2026-01-02T00:00:00Z","created_by":"/bin/sh -c make"}}],"#,
            r#""os":"linux","rootfs":{{"type":"layers","diff_ids":["#,
            r#""sha256:1111111111111111111111111111111111111111111111111111111111111111","#,
            r#""sha256:4444444444444444444444444444444444444444444444444444444444444444"]}}}}"#
        ),
        MAKE
    );
    let images = Memory::new(Order::Sorted);
    let base = images.add(BASE, None, Provenance::Elsewhere);
    let app = images.add(APP, None, Provenance::Elsewhere);
    images.add(&built, Some(&base), Provenance::BuiltHere);
    images.set_reference("base:1", &base);
    images.set_reference("app:1", &app);
    Sample { images, base }
}

/// What the demonstration builds for.
pub fn platform() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Platform::default()
    }
}
