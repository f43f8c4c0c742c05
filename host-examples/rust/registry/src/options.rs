//! What an embedder can set.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use layerwise::host::Failure;
use layerwise::oci::Descriptor;

use crate::keychain::Keychain;
use crate::limits::Limits;
use crate::paths::Paths;

/// Hears how many bytes of an item have been moved: the item's digest or path,
/// the bytes done, and the total (0: not known). Called from several threads.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Callback>>);
type Callback = dyn Fn(&str, u64, u64) + Send + Sync;

/// Where layers come from that only the embedder knows.
pub trait Provider: Send + Sync {
    /// Opens what `name` stands for, from its beginning: the blob when `wanted`
    /// has a digest, else a tar file, which is compressed as the media type says.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn open(&self, name: &str, wanted: &Descriptor) -> Result<Box<dyn Read + Send>, Failure>;
}

/// How often and how fast a request is made again after a connection error, a
/// time-out, 429 or 5xx. The pause doubles each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a request is made at most; 0 counts as 1.
    pub attempts: u32,
    /// The pause after the first.
    pub first_pause: Duration,
    /// No pause is longer, whatever the registry asks for.
    pub longest_pause: Duration,
}

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, the encryption included.
    pub connect: Duration,
    /// For the next bytes in either direction; [`crate::Limit`] has what a whole
    /// transfer is held to.
    pub idle: Duration,
    /// For a program that tells credentials.
    pub helper: Duration,
    /// For another writer of a layout directory.
    pub lock: Duration,
}

/// Who owns what is unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// As the layer says when the process may do that (as root), else as `Own`.
    #[default]
    Kept,
    /// The user of the process.
    Own,
}

/// What becomes of the set-user-id and set-group-id bits of a layer. The system
/// takes more of them away where the process may not set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetId {
    /// They are dropped.
    #[default]
    Dropped,
    /// What is left of them when an ordinary user writes the files, as tools do
    /// that unpack without rights: of a file with bytes the set-user-id bit goes,
    /// and the set-group-id bit where the group may execute it.
    AsWritten,
    /// They are kept, and so are the capabilities of files.
    Kept,
}

/// The settings of [`crate::Repositories`].
#[derive(Clone)]
pub struct Options {
    pub(crate) plain: BTreeSet<String>,
    pub(crate) encrypted: BTreeSet<String>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) keychain: Keychain,
    pub(crate) retry: Retry,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) at_once: usize,
    pub(crate) progress: Progress,
    pub(crate) scratch: PathBuf,
    pub(crate) paths: Option<Arc<dyn Paths>>,
    pub(crate) provider: Option<Arc<dyn Provider>>,
    pub(crate) owners: Owners,
    pub(crate) set_id: SetId,
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) layouts: Option<Vec<PathBuf>>,
}

impl Options {
    /// Speaks plain HTTP to this registry (`host` or `host:port`). Loopback
    /// addresses and `localhost` need not be listed.
    #[must_use]
    pub fn plain_http(mut self, host: &str) -> Self {
        self.plain.insert(host.to_owned());
        self
    }

    /// Speaks HTTPS to this registry although it is on loopback.
    #[must_use]
    pub fn https(mut self, host: &str) -> Self {
        self.encrypted.insert(host.to_owned());
        self
    }

    /// Trusts these certificates (PEM, one or several) instead of those of the
    /// system.
    #[must_use]
    pub fn trust(mut self, pem: &[u8]) -> Self {
        self.certificates.push(pem.to_vec());
        self
    }

    /// Where credentials come from; the usual places otherwise, see [`Keychain`].
    #[must_use]
    pub fn keychain(mut self, keychain: Keychain) -> Self {
        self.keychain = keychain;
        self
    }

    /// How often requests are made again.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long is waited.
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How much is read, unpacked and waited for.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many transfers of one call run at a time; 0 counts as 1.
    #[must_use]
    pub const fn at_once(mut self, transfers: usize) -> Self {
        self.at_once = transfers;
        self
    }

    /// Who hears of progress.
    #[must_use]
    pub fn progress(mut self, callback: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        self.progress = Progress::of(callback);
        self
    }

    /// The directory for layers while they are compressed; that of the system
    /// for temporary files otherwise.
    #[must_use]
    pub fn scratch(mut self, directory: impl Into<PathBuf>) -> Self {
        self.scratch = directory.into();
        self
    }

    /// Where the paths of files and destinations lead. Without this they are
    /// `unsupported`.
    #[must_use]
    pub fn paths(mut self, paths: Arc<dyn Paths>) -> Self {
        self.paths = Some(paths);
        self
    }

    /// Where other layers come from. Without this they are `unsupported`.
    #[must_use]
    pub fn provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Who owns what is unpacked.
    #[must_use]
    pub const fn owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// What becomes of set-user-id and set-group-id bits.
    #[must_use]
    pub const fn set_id(mut self, set_id: SetId) -> Self {
        self.set_id = set_id;
        self
    }

    /// Somebody who may set this and so ends all transfers: what is not whole by
    /// then is `cancelled`.
    #[must_use]
    pub fn cancelled(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancelled = flag;
        self
    }

    /// Opens layout directories below these directories only (`denied`
    /// elsewhere); an empty list means none at all.
    #[must_use]
    pub fn layouts_below(mut self, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        self.layouts = Some(directories.into_iter().collect());
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plain: BTreeSet::new(),
            encrypted: BTreeSet::new(),
            certificates: Vec::new(),
            keychain: Keychain::usual(),
            retry: Retry::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            at_once: 4,
            progress: Progress::default(),
            scratch: scratch(),
            paths: None,
            provider: None,
            owners: Owners::default(),
            set_id: SetId::default(),
            cancelled: Arc::default(),
            layouts: None,
        }
    }
}

/// Where temporary files are.
fn scratch() -> PathBuf {
    // The standard library cannot tell it under WASI.
    if cfg!(target_family = "wasm") {
        PathBuf::from(".")
    } else {
        std::env::temp_dir()
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(20),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            helper: Duration::from_secs(30),
            lock: Duration::from_secs(10),
        }
    }
}

impl Progress {
    pub(crate) fn of(callback: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(callback)))
    }

    pub(crate) fn tell(&self, item: &str, done: u64, total: u64) {
        if let Some(callback) = &self.0 {
            callback(item, done, total);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress" } else { "none" })
    }
}
