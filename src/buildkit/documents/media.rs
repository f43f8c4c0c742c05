//! Media types of layers, and their OCI and Docker forms (BuildKit spec,
//! section 6.3).

/// Media type of a cache config.
pub(crate) const CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";
/// Docker's list of manifests.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// OCI's list of manifests.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI's image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const O: &str = "application/vnd.oci.image.layer.v1.tar";
const O_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const O_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const N: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const N_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const N_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
const D: &str = "application/vnd.docker.image.rootfs.diff.tar";
const D_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const D_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
const F: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
const F_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// Docker's form and OCI's form of the same thing.
const PAIRS: [(&str, &str); 5] = [
    (D, O),
    (D_GZIP, O_GZIP),
    (D_ZSTD, O_ZSTD),
    (F, N),
    (F_GZIP, N_GZIP),
];

/// The family a media type of a layer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Docker,
    Oci,
}

/// The family of a layer's media type; `None` for every other text.
pub(crate) fn family(media: &str) -> Option<Family> {
    PAIRS.iter().find_map(|(docker, oci)| {
        if media == *docker {
            Some(Family::Docker)
        } else if media == *oci || media == N_ZSTD {
            Some(Family::Oci)
        } else {
            None
        }
    })
}

/// The form of a media type in a family; the same text where there is none.
pub(crate) fn convert(media: &str, wanted: Family) -> &str {
    PAIRS
        .iter()
        .find_map(|(docker, oci)| match wanted {
            Family::Oci if media == *docker => Some(*oci),
            Family::Docker if media == *oci => Some(*docker),
            _ => None,
        })
        .unwrap_or(media)
}

/// Whether a media type has a form in a family.
pub(crate) fn convertible(media: &str, wanted: Family) -> bool {
    family(convert(media, wanted)) == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (docker, oci) in PAIRS {
            assert_eq!(convert(docker, Family::Oci), oci);
            assert_eq!(convert(oci, Family::Docker), docker);
            assert_eq!(convert(docker, Family::Docker), docker);
            assert_eq!(convert(oci, Family::Oci), oci);
            assert!(convertible(oci, Family::Docker));
        }
        for media in [
            "",
            "application/octet-stream",
            "application/vnd.OCI.image.layer.v1.tar",
        ] {
            assert_eq!(convert(media, Family::Oci), media);
            assert_eq!(family(media), None);
        }
        assert_eq!(convert(N_ZSTD, Family::Docker), N_ZSTD);
        assert!(!convertible(N_ZSTD, Family::Docker));
        assert!(convertible(N_ZSTD, Family::Oci));
    }
}
