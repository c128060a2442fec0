//! The addresses of a target. They are looked up again during a run, because names move to other
//! machines: after a failure to connect, and every half a minute.
//!
//! Invariant: an address that may not be loaded is never used, also if the name begins to point at it
//! in mid-run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::http::target::Target;
use crate::lock::lock;

/// Addresses that are older are looked up again before the next connection is opened.
const AGE_MAX: Duration = Duration::from_secs(30);

/// A failure to connect is no reason to look up addresses that are younger.
const AGE_MIN: Duration = Duration::from_secs(1);

/// The addresses of one target, shared by all of its connections.
#[derive(Debug)]
pub(crate) struct Addresses {
    target: Target,
    /// Public hosts that the operator allows to be loaded.
    allowed: Vec<Target>,
    /// Whether the addresses are given: as a literal, or by `--resolve`.
    is_fixed: bool,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    list: Vec<SocketAddr>,
    read: Instant,
}

/// An address that the operator gives for a host and a port, instead of the resolver's.
pub type Resolve = (String, u16, IpAddr);

impl Addresses {
    /// Looks up the target, unless `resolve` names it, and checks whether it may be loaded.
    ///
    /// # Errors
    /// Returns an error if the name is unknown, or one of the addresses is public and not allowed.
    pub(crate) async fn of(
        target: &Target,
        allowed: &[Target],
        resolve: &[Resolve],
    ) -> anyhow::Result<Self> {
        let is_ours = |(host, port, _): &&Resolve| {
            host.eq_ignore_ascii_case(&target.host) && *port == target.port
        };
        let given = resolve.iter().filter(is_ours);
        let given: Vec<_> = given.map(|(.., ip)| SocketAddr::new(*ip, target.port)).collect();
        let is_fixed = !given.is_empty() || target.host.parse::<IpAddr>().is_ok();
        let list = if given.is_empty() { target.resolve().await? } else { given };
        target.check(&list, allowed)?;
        Ok(Self {
            target: target.clone(),
            allowed: allowed.to_vec(),
            is_fixed,
            known: Mutex::new(Known { list, read: Instant::now() }),
        })
    }

    /// Returns the addresses, the preferred one first. Old ones are looked up again.
    pub(crate) async fn list(&self) -> Vec<SocketAddr> {
        self.renew(AGE_MAX).await;
        lock(&self.known).list.clone()
    }

    /// Returns other addresses after no connection could be opened to `failed`; `None` if there are
    /// none.
    pub(crate) async fn others(&self, failed: &[SocketAddr]) -> Option<Vec<SocketAddr>> {
        self.renew(AGE_MIN).await;
        let list = lock(&self.known).list.clone();
        (list != failed).then_some(list)
    }

    /// Looks up addresses that are older than this. One that fails, or may not be loaded, changes
    /// nothing.
    async fn renew(&self, age: Duration) {
        {
            let mut known = lock(&self.known);
            if self.is_fixed || known.read.elapsed() < age {
                return;
            }
            known.read = Instant::now(); // others do not look up the same name meanwhile
        }
        let Ok(list) = self.target.resolve().await else { return };
        if self.target.check(&list, &self.allowed).is_ok() {
            lock(&self.known).list = list;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_given_address_stands_for_the_name() {
        let target = Target::parse("http://vote.example:8080").unwrap();
        let ours = ("VOTE.example".to_owned(), 8080, "127.0.0.9".parse().unwrap());
        let other = ("vote.example".to_owned(), 80, "127.0.0.8".parse().unwrap());
        let addresses = Addresses::of(&target, &[], &[other, ours]).await.unwrap();
        let address: SocketAddr = "127.0.0.9:8080".parse().unwrap();
        assert_eq!(addresses.list().await, vec![address]);
        assert_eq!(addresses.others(&[address]).await, None);
        let public = ("vote.example".to_owned(), 8080, "192.0.2.7".parse().unwrap());
        assert!(Addresses::of(&target, &[], &[public]).await.is_err());
    }

    #[tokio::test]
    async fn a_name_that_moved_is_looked_up_after_a_failure() {
        let target = Target::parse("http://localhost:8080").unwrap();
        let addresses = Addresses::of(&target, &[], &[]).await.unwrap();
        let old = vec!["127.0.0.77:8080".parse().unwrap()];
        *lock(&addresses.known) = Known { list: old.clone(), read: Instant::now() };
        assert_eq!(addresses.others(&old).await, None, "looked up a moment ago");
        lock(&addresses.known).read = Instant::now().checked_sub(AGE_MIN * 2).unwrap();
        let new = addresses.others(&old).await.unwrap();
        assert!(new.contains(&"127.0.0.1:8080".parse().unwrap()), "{new:?}");
    }
}
