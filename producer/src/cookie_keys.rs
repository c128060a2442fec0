//! Holds the keys that sign voter cookies, and reads them again when their file changes, so that keys are
//! rotated without a restart.
//!
//! Invariant: there always is a key ring. A file that is missing or unusable changes nothing, and no lock
//! is held while keys are used.

use std::sync::Arc;

use tokio::sync::watch;
use votestream_schema::voter::KeyRing;
use votestream_service::config::Secret;
use votestream_service::reloadable::Reloadable;

use crate::config::Config;

/// The current key ring. Clones are cheap and see each change.
#[derive(Clone, Debug)]
pub(crate) struct CookieKeys(watch::Receiver<Arc<KeyRing>>);

impl CookieKeys {
    /// Returns the current key ring.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.0.borrow().clone()
    }
}

/// Keeps a [`CookieKeys`] up to date.
#[derive(Debug)]
pub(crate) struct Refresher {
    config: Config,
    reloadable: Reloadable<Secret, Arc<KeyRing>>,
    ring: watch::Sender<Arc<KeyRing>>,
}

/// Reads the keys that the settings name; the [`Refresher`] reads them again.
///
/// # Errors
/// Returns an error if there is no key, if the file cannot be read, or if a key does not parse.
pub(crate) fn new(config: &Config) -> anyhow::Result<(CookieKeys, Refresher)> {
    let reloadable = Reloadable::new(config.cookie_keys(), parse)?;
    let (sender, ring) = watch::channel(reloadable.get(NAME, config.cookie_keys(), parse));
    Ok((CookieKeys(ring), Refresher { config: config.clone(), reloadable, ring: sender }))
}

impl Refresher {
    /// Reads the file again; call it every few seconds.
    pub(crate) fn refresh(&self) {
        let ring = self.reloadable.get(NAME, self.config.cookie_keys(), parse);
        if !Arc::ptr_eq(&ring, &self.ring.borrow()) {
            self.ring.send_replace(ring);
        }
    }
}

/// Name of these settings in the log.
const NAME: &str = "cookie keys";

fn parse(text: &Secret) -> anyhow::Result<Arc<KeyRing>> {
    Ok(Arc::new(KeyRing::parse(text.reveal())?))
}
