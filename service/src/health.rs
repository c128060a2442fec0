//! Whether a service can do its work: one gate per dependency.
//!
//! Invariant: a dependency that is down closes readiness, never liveness; restarting a service does
//! not bring its database back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::metrics;

/// The state of all gates; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    gates: Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>,
    draining: CancellationToken,
}

/// One dependency's state, reported by whoever talks to it.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    health: Health,
}

impl Health {
    /// No gates yet: not ready, until there are some and all are open.
    pub fn new() -> Self {
        Self::default()
    }

    /// A gate that is closed until its first [`Gate::report`].
    pub fn gate(&self, name: &'static str) -> Gate {
        self.set(name, Err("not reached yet".into()));
        Gate { name, health: self.clone() }
    }

    /// `Ok` when all gates are open, else what closes each.
    ///
    /// # Errors
    /// The names and reasons of the closed gates.
    pub fn ready(&self) -> Result<(), BTreeMap<&'static str, String>> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let closed: BTreeMap<_, _> = gates
            .iter()
            .filter_map(|(name, state)| Some((*name, state.as_ref().err()?.clone())))
            .collect();
        match (gates.is_empty(), closed.is_empty()) {
            (true, _) => Err([("start", "not started yet".to_owned())].into()),
            (false, true) => Ok(()),
            (false, false) => Err(closed),
        }
    }

    /// Cancelled once the service is to get no new work, which may be a while before it stops:
    /// load balancers have to notice first.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    fn set(&self, name: &'static str, state: Result<(), String>) -> bool {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = gates.get(name).is_some_and(Result::is_ok);
        let is_open = state.is_ok();
        gates.insert(name, state);
        was_open != is_open
    }
}

impl Gate {
    /// Opens or closes the gate; a change is logged, once.
    pub fn report<E: std::fmt::Display>(&self, state: Result<(), E>) {
        let reason = state.as_ref().err().map(E::to_string);
        let changed = self.health.set(self.name, state.map_err(|e| e.to_string()));
        metrics::DEPENDENCY_UP.with([self.name]).set(if reason.is_none() { 1.0 } else { 0.0 });
        match (changed, reason) {
            (true, None) => tracing::info!(dependency = self.name, "reached"),
            (true, Some(reason)) => {
                tracing::warn!(dependency = self.name, reason, "away; trying again");
            }
            (false, _) => {}
        }
    }

    /// Reports what `probe` says every `period` until `shutdown`.
    pub async fn watch<E, F>(
        self,
        period: Duration,
        shutdown: CancellationToken,
        mut probe: impl FnMut() -> F,
    ) where
        E: std::fmt::Display,
        F: Future<Output = Result<(), E>>,
    {
        let watch = async {
            loop {
                self.report(probe().await);
                tokio::time::sleep(period).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = watch => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_every_gate_is_open() {
        let health = Health::new();
        assert!(health.ready().is_err(), "a service that has not started is not ready");
        let (redis, postgres) = (health.gate("redis"), health.gate("postgres"));
        redis.report(Ok::<(), String>(()));
        assert_eq!(health.ready().unwrap_err().into_keys().collect::<Vec<_>>(), ["postgres"]);
        postgres.report(Ok::<(), String>(()));
        assert!(health.ready().is_ok());
        redis.report(Err("connection refused"));
        assert_eq!(health.ready().unwrap_err()["redis"], "connection refused");
    }
}
