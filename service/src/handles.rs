//! File handles: every connection takes one.
//!
//! A login shell's soft limit of 1,024 is meant for programs that use `select`, which none of ours
//! does: a service takes what its hard limit allows.
//!
//! Invariant: clients' connections leave `RESERVE` handles for all else, so that a crowd of them
//! never keeps a service from its servers, its admin port or its files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Handles that clients cannot take: the admin port takes 64 connections, the rest is for Redis,
/// Postgres, files and the runtime.
const RESERVE: usize = 128;

/// Raises the soft limit to the hard one.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of file handles");
    }
}

/// How many of `wanted` connections clients may hold; says so if that is less.
pub fn grant(wanted: usize) -> usize {
    let handles = getrlimit(Resource::Nofile).current;
    let handles = handles.and_then(|handles| usize::try_from(handles).ok()).unwrap_or(usize::MAX);
    let granted = wanted.min(left(handles));
    if granted < wanted {
        tracing::warn!(
            handles,
            "CONNECTIONS_MAX is {granted} and not {wanted}: {RESERVE} of this process' file handles \
             are kept for other things; raise their limit (`ulimit -n`, `LimitNOFILE=`)"
        );
    }
    granted
}

/// Never less than half of them, however few there are.
fn left(handles: usize) -> usize {
    handles - RESERVE.min(handles / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_of_few_and_of_many_handles() {
        assert_eq!([64, 256, 1_024, usize::MAX].map(left), [32, 128, 896, usize::MAX - 128]);
    }
}
