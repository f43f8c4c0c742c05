//! Transcripts: what is recorded, and that a replay sees every difference.

#[cfg(test)]
mod transcripts {
    mod changed;
    mod hostile;
    mod recorded;
    mod scenarios;
    mod secrets;
    mod vectors;
}
