//! Copies poll definitions from Postgres to Redis, and repairs them there.
//!
//! Every replica does this once a second and writes only the parts that differ.
//! Invariant: rules never return to an older revision, because the script refuses that. So a replica that was paused in
//! the middle of copying does no harm.

use std::collections::HashMap;

use redis::RedisError;
use votestream_schema::poll::VoterPolicy;
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Keys, Poll, VoterId};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::polls::Polls;
use crate::streams::cmd;

/// The number of voters that one SADD adds.
const CODES_AT_ONCE: usize = 10_000;

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
                cmd(&command).exec_async(connection).await?;
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
            // Codes are written before rules, so that a partition which has the rules also has the codes they need.
            if found.is_none() && poll.voter_policy == VoterPolicy::Code {
                self.codes(connection, poll, partition).await?;
            }
            let command = projection::rules_script(&self.keys, partition, poll);
            let written: i64 = cmd(&command).query_async(connection).await?;
            if written == 1 {
                tracing::info!(poll = %poll.slug, partition, revision = poll.revision, "copied the rules of a poll to redis");
            }
        }
        Ok(())
    }

    /// Restores the voting codes of one partition from Postgres, after Redis lost its data.
    async fn codes(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
    ) -> Result<(), ServerError> {
        let session = self.postgres.get().await;
        let session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        let rows =
            session.query("SELECT voter FROM codes WHERE poll_id = $1", &[&poll.id.0]).await?;
        let voters = rows.iter().map(|row| VoterId(row.get(0)));
        let voters: Vec<VoterId> =
            voters.filter(|voter| voter.partition(self.partitions) == partition).collect();
        for some in voters.chunks(CODES_AT_ONCE) {
            let mut add = redis::cmd("SADD");
            add.arg(self.keys.codes(partition, poll.id));
            for voter in some {
                add.arg(voter.0.as_bytes().as_slice());
            }
            add.exec_async(connection).await?;
        }
        Ok(())
    }
}
