//! The keys that sign cookies, read again when their file changes: a key is rotated without a restart.
//!
//! Invariant: there is always a key ring; a file that is away or of no use changes nothing.

use tokio::sync::watch;
use votestream_schema::voter::KeyRing;
use votestream_service::config::Secret;
use votestream_service::renewed::Renewed;

use crate::Config;

/// The key ring as of now; cheap to clone.
pub(crate) type CookieKeys = watch::Receiver<KeyRing>;

/// What keeps a [`CookieKeys`] fresh.
pub(crate) struct Refresher {
    config: Config,
    renewed: Renewed<Secret, KeyRing>,
    ring: watch::Sender<KeyRing>,
}

/// The keys that these settings name, and what reads them again.
///
/// # Errors
/// When there is none, the file cannot be read, or a key is of no use.
pub(crate) fn new(config: &Config) -> anyhow::Result<(CookieKeys, Refresher)> {
    let renewed = Renewed::new(config.cookie_keys(), parse)?;
    let (sender, ring) = watch::channel(renewed.get(WHAT, config.cookie_keys(), parse));
    Ok((ring, Refresher { config: config.clone(), renewed, ring: sender }))
}

impl Refresher {
    /// Reads the file again; to be called every so often.
    pub(crate) fn refresh(&self) {
        self.ring.send_replace(self.renewed.get(WHAT, self.config.cookie_keys(), parse));
    }
}

const WHAT: &str = "cookie keys";

fn parse(text: &Secret) -> anyhow::Result<KeyRing> {
    Ok(KeyRing::parse(text.reveal())?)
}
