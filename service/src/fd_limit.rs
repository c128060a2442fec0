//! Raises the limit of file descriptors and shares them out: every connection takes one.
//!
//! A login shell's soft limit of 1,024 protects programs that use `select`. No program of ours does, so
//! a service raises its soft limit to the hard one.
//!
//! Invariant: client connections leave at least `RESERVE` descriptors for everything else, so that a
//! crowd of clients never cuts a service off from its servers, its admin port or its files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that clients cannot take: the admin port takes 64 connections, the rest is for Redis,
/// Postgres, files and the runtime.
const RESERVE: usize = 128;

/// Raises the soft limit to the hard one; a refusal is only logged, since the service works without.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(
            "the limit of file descriptors stays as it is, the system refused to raise it: {error}"
        );
    }
}

/// Returns how many of `wanted` client connections the limit allows, and warns if it is fewer.
pub fn allowed_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let allowed = wanted.min(without_reserve(limit));
    if allowed < wanted {
        tracing::warn!(
            limit,
            "CONNECTIONS_MAX is {allowed} instead of {wanted}: {RESERVE} of this process' file \
             descriptors are reserved; raise their limit (`ulimit -n`, `LimitNOFILE=`)"
        );
    }
    allowed
}

/// Subtracts the reserve, but never more than half of the limit.
fn without_reserve(limit: usize) -> usize {
    limit - RESERVE.min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_of_few_and_of_many_descriptors() {
        let limits = [64, 256, 1_024, usize::MAX];
        assert_eq!(limits.map(without_reserve), [32, 128, 896, usize::MAX - 128]);
    }
}
