//! The keys that sign cookies, read again when their file changes: a key is rotated without a restart.
//!
//! Invariant: there is always a key ring; a file that is away or of no use changes nothing. Nobody holds
//! the lock while using it.

use std::sync::Arc;

use tokio::sync::watch;
use votestream_schema::voter::KeyRing;
use votestream_service::config::Secret;
use votestream_service::renewed::Renewed;

use crate::Config;

/// The key ring as of now; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CookieKeys(watch::Receiver<Arc<KeyRing>>);

impl CookieKeys {
    /// The key ring as of now.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.0.borrow().clone()
    }
}

/// What keeps a [`CookieKeys`] fresh.
#[derive(Debug)]
pub(crate) struct Refresher {
    config: Config,
    renewed: Renewed<Secret, Arc<KeyRing>>,
    ring: watch::Sender<Arc<KeyRing>>,
}

/// The keys that these settings name, and what reads them again.
///
/// # Errors
/// When there is none, the file cannot be read, or a key is of no use.
pub(crate) fn new(config: &Config) -> anyhow::Result<(CookieKeys, Refresher)> {
    let renewed = Renewed::new(config.cookie_keys(), parse)?;
    let (sender, ring) = watch::channel(renewed.get(WHAT, config.cookie_keys(), parse));
    Ok((CookieKeys(ring), Refresher { config: config.clone(), renewed, ring: sender }))
}

impl Refresher {
    /// Reads the file again; to be called every so often.
    pub(crate) fn refresh(&self) {
        let ring = self.renewed.get(WHAT, self.config.cookie_keys(), parse);
        if !Arc::ptr_eq(&ring, &self.ring.borrow()) {
            self.ring.send_replace(ring);
        }
    }
}

const WHAT: &str = "cookie keys";

fn parse(text: &Secret) -> anyhow::Result<Arc<KeyRing>> {
    Ok(Arc::new(KeyRing::parse(text.reveal())?))
}
