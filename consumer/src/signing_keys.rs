//! The keys that sign the public logs, read again when their file changes.

use std::sync::Arc;

use anyhow::Context;
use votestream_service::config::{Secret, SigningArgs};
use votestream_service::reloadable::Reloadable;
use votestream_transparency::keys::SigningKeys;

/// Name of these settings in the log.
const NAME: &str = "signing keys";

/// The current keys; there are none if none are configured.
#[derive(Debug)]
pub(crate) struct Keys {
    args: SigningArgs,
    reloadable: Reloadable<Option<Secret>, Option<Arc<SigningKeys>>>,
}

impl Keys {
    /// Reads the keys.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or holds something else.
    pub(crate) fn new(args: &SigningArgs) -> anyhow::Result<Self> {
        Ok(Self { args: args.clone(), reloadable: Reloadable::new(args.text(), parse)? })
    }

    /// Returns the keys, and reads their file first.
    pub(crate) fn current(&self) -> Option<Arc<SigningKeys>> {
        self.reloadable.get(NAME, self.args.text(), parse)
    }
}

fn parse(text: &Option<Secret>) -> anyhow::Result<Option<Arc<SigningKeys>>> {
    let keys = text.as_ref().map(|text| SigningKeys::parse(text.reveal()));
    Ok(keys.transpose().context("SIGNING_KEYS")?.map(Arc::new))
}
