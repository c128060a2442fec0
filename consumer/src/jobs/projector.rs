//! Copies poll definitions from Postgres to Redis, and repairs them there.
//!
//! Every replica does this once a second and writes only the parts that differ.
//! Invariant: rules never return to an older revision, because the script refuses that. So a replica that was paused in
//! the middle of copying does no harm.

use std::collections::HashMap;

use redis::RedisError;
use votestream_schema::poll_copy::{self, cmd};
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Keys, PollId, VoterId};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::polls::Polls;

/// Copies the polls of one deployment from Postgres to Redis; cheap to clone.
#[derive(Clone, Debug)]
pub struct Projector {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
}

impl Projector {
    /// Creates a projector for a deployment with this many partitions.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Copies these polls to Redis once, wherever Redis differs.
    ///
    /// # Errors
    /// Returns the error of the server that failed, or [`ServerError::OtherDeployment`] when Redis holds another number
    /// of partitions.
    pub async fn project(&self, polls: &Polls) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        self.partitions(&mut connection).await?;
        self.definitions(&mut connection, polls).await?;
        for partition in 0..self.partitions {
            self.rules(&mut connection, polls, partition).await?;
        }
        Ok(())
    }

    /// Stores the number of partitions in Redis if it is missing, and fails if Redis holds another one: then one of the
    /// two server addresses is wrong.
    async fn partitions(&self, connection: &mut Connection) -> Result<(), ServerError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.meta()).arg("partitions");
        let mut known: Option<u16> = get.query_async(connection).await?;
        if known.is_none() {
            let set = cmd(&projection::partitions(&self.keys, self.partitions));
            set.exec_async(connection).await?;
            known = get.query_async(connection).await?;
        }
        let known = known.unwrap_or_default();
        if known == self.partitions {
            return Ok(());
        }
        Err(ServerError::OtherDeployment { redis: known, postgres: self.partitions })
    }

    /// Writes the definitions that differ; pages read them.
    async fn definitions(
        &self,
        connection: &mut Connection,
        polls: &Polls,
    ) -> Result<(), RedisError> {
        let known: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.polls()).query_async(connection).await?;
        for poll in polls.values() {
            let command = projection::definition(&self.keys, poll);
            if known.get(poll.slug.as_str()) != command.get(3) {
                poll_copy::definition(connection, &self.keys, poll).await?;
            }
        }
        Ok(())
    }

    /// Writes the rules that differ in one partition; the register script reads them.
    async fn rules(
        &self,
        connection: &mut Connection,
        polls: &Polls,
        partition: u16,
    ) -> Result<(), ServerError> {
        let mut get = redis::cmd("HGETALL");
        get.arg(self.keys.rules(partition));
        let known: HashMap<String, String> = get.query_async(connection).await?;
        for poll in polls.values() {
            let found = known.get(&poll.id.to_string());
            if found == Some(&Rules::of(poll).encode()) {
                continue;
            }
            let codes = async || self.codes(poll.id).await;
            let place = (partition, self.partitions);
            let is_known = found.is_some();
            if poll_copy::rules(connection, &self.keys, place, poll, is_known, codes).await? {
                tracing::info!(poll = %poll.slug, partition, revision = poll.revision, "copied the rules of a poll to redis");
            }
        }
        Ok(())
    }

    /// Reads the voters of all voting codes of a poll, to restore them after Redis lost its data.
    async fn codes(&self, poll: PollId) -> Result<Vec<VoterId>, ServerError> {
        let session = self.postgres.get().await;
        let session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        Ok(poll_copy::read_codes(&**session, poll).await?)
    }
}
