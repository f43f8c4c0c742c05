//! What is asked of registries over HTTP, whoever does that.

use layerwise::host::Failure;

/// Something that is asked over HTTP.
#[derive(Clone, Debug)]
pub struct Question {
    /// `GET` or `HEAD`.
    pub method: &'static str,
    /// HTTPS or plain HTTP.
    pub encrypted: bool,
    /// `host` or `host:port`.
    pub host: String,
    /// With its query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// No body may be larger.
    pub limit: u64,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks over HTTP, within the time that the settings give.
pub trait Fetch: Send + Sync {
    /// Asks once.
    ///
    /// # Errors
    /// `unavailable` when no response came, `too-large`.
    fn fetch(&self, question: &Question) -> Result<Answer, Failure>;
}
