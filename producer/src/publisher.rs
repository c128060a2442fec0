//! Gathers ballots into batches and stores each batch in Redis with one round trip.
//!
//! A lane is a share of the partitions with a connection of its own; its `Writer` is the task that sends
//! batches over it. While one round trip is in flight, the next batch gathers, so there is no timer. Every
//! queue and batch is bounded. A writer connects before it has a ballot to send, and again after it lost
//! its connection, so that no voter waits for a name look-up.
//!
//! Invariant: [`Accepted`](crate::register::Verdict::Accepted) is answered only after Redis has confirmed it, with the configured
//! durability. While that is unknown the answer is [`Unavailable`], and repeating the ballot is harmless.

mod refusals;
mod writer;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use votestream_service::health::Gate;
use votestream_service::redis::Manager;

use crate::receipts::Signed;
use crate::register::Registration;
use writer::{FirstConnections, Pending, Writer};

pub use refusals::Refusals;
pub use writer::{ANSWER_WITHIN, Answer, BATCH_MAX, LaneConfig, Unavailable};

/// Most ballots that wait for one lane; voters beyond are asked to try again.
const QUEUE_MAX: usize = 8_192;
/// Hands ballots to the lanes. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// One queue per lane; partition `p` belongs to lane `p % lanes`.
    lanes: Vec<mpsc::Sender<Pending>>,
    partitions: u16,
    refusals: Refusals,
}

impl Publisher {
    /// Starts the writers on `tasks`, and opens `gate` once each of them has had its first connection. They
    /// end once the last clone of the publisher is dropped and their queues are empty.
    pub fn start(manager: &Manager, config: &LaneConfig, gate: Gate, tasks: &TaskTracker) -> Self {
        let lanes = if manager.is_cluster() { config.partitions } else { config.lanes };
        let lanes = lanes.clamp(1, config.partitions);
        let refusals = Refusals::default();
        let first_connections = Arc::new(FirstConnections::new(lanes, gate));
        let lanes = (0..lanes)
            .map(|_| {
                let (queue, pending) = mpsc::channel(QUEUE_MAX);
                let writer = Writer::new(
                    manager.clone(),
                    config.clone(),
                    first_connections.clone(),
                    refusals.clone(),
                );
                tasks.spawn(writer.run(pending));
                queue
            })
            .collect();
        Self { lanes, partitions: config.partitions, refusals }
    }

    /// The ballots that were not stored, for whoever reports them and whoever refuses further ones.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Stores one ballot, and returns its verdict and the promise that was asked for. The verdict is [`Unavailable`] if Redis did
    /// not answer in time, or answered that it cannot store.
    pub async fn publish(&self, registration: Registration) -> (Answer, Option<Signed>) {
        let partition = registration.ballot.voter.partition(self.partitions);
        let lane = &self.lanes[usize::from(partition) % self.lanes.len()];
        let (answer, verdict) = oneshot::channel();
        let pending = Pending { registration, since: Instant::now(), answer };
        if lane.try_send(pending).is_err() {
            let full = Unavailable::QueueFull;
            self.refusals.refused(1, &full.to_string());
            return (Err(full), None);
        }
        verdict.await.unwrap_or((Err(Unavailable::Stopping), None))
    }
}
