//! Copies poll definitions from Postgres to Redis, and repairs them there.
//!
//! Every replica does it, every second; it only writes what differs. Rules never go back to an older
//! revision (the script sees to that), so a replica that was paused half-way does no harm.

use std::collections::HashMap;

use redis::RedisError;
use votestream_schema::poll::VoterPolicy;
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Keys, Poll, VoterId};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::polls::Polls;
use crate::streams::cmd;

/// Voters sent in one SADD.
const CODES_AT_ONCE: usize = 10_000;

/// The copier.
#[derive(Clone, Debug)]
pub struct Projector {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
}

impl Projector {
    /// From this database to this Redis.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Copies once.
    ///
    /// # Errors
    /// Which server did not answer, and why; or that Redis belongs to another deployment.
    pub async fn project(&self, polls: &Polls) -> Result<(), String> {
        let mut connection = self.redis.get().await.map_err(describe_checkout)?;
        let text = |error: RedisError| error.to_string();
        self.partitions(&mut connection).await?;
        self.definitions(&mut connection, polls).await.map_err(text)?;
        for partition in 0..self.partitions {
            self.rules(&mut connection, polls, partition).await?;
        }
        Ok(())
    }

    /// Tells the number of partitions, unless Redis knows another: then one of the addresses is wrong.
    async fn partitions(&self, connection: &mut Connection) -> Result<(), String> {
        let text = |error: RedisError| error.to_string();
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.meta()).arg("partitions");
        let mut known: Option<u16> = get.query_async(connection).await.map_err(text)?;
        if known.is_none() {
            let tell = cmd(&projection::partitions(&self.keys, self.partitions));
            tell.exec_async(connection).await.map_err(text)?;
            known = get.query_async(connection).await.map_err(text)?;
        }
        let known = known.unwrap_or_default();
        if known == self.partitions {
            return Ok(());
        }
        let ours = self.partitions;
        Err(format!(
            "redis was set up for {known} partitions, postgres for {ours}: they do not belong together"
        ))
    }

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

    async fn rules(
        &self,
        connection: &mut Connection,
        polls: &Polls,
        partition: u16,
    ) -> Result<(), String> {
        let text = |error: RedisError| error.to_string();
        let mut get = redis::cmd("HGETALL");
        get.arg(self.keys.rules(partition));
        let known: HashMap<String, String> = get.query_async(connection).await.map_err(text)?;
        for poll in polls.values() {
            let found = known.get(&poll.id.to_string());
            if found == Some(&Rules::of(poll).encode()) {
                continue;
            }
            // Codes before rules: a partition that has rules has the codes that go with them.
            if found.is_none() && poll.voter_policy == VoterPolicy::Code {
                self.codes(connection, poll, partition).await?;
            }
            let command = projection::rules_script(&self.keys, partition, poll);
            let written: i64 = cmd(&command).query_async(connection).await.map_err(text)?;
            if written == 1 {
                tracing::info!(poll = %poll.slug, partition, revision = poll.revision, "poll copied to redis");
            }
        }
        Ok(())
    }

    /// Restores the voting codes of one partition, after Redis lost them.
    async fn codes(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
    ) -> Result<(), String> {
        let session = self.postgres.get().await.map_err(postgres::describe_checkout)?;
        let rows = session.query("SELECT voter FROM codes WHERE poll_id = $1", &[&poll.id.0]).await;
        let rows = rows.map_err(|e| postgres::describe(&e))?;
        let voters = rows.iter().map(|row| VoterId(row.get(0)));
        let voters: Vec<VoterId> =
            voters.filter(|voter| voter.partition(self.partitions) == partition).collect();
        for some in voters.chunks(CODES_AT_ONCE) {
            let mut add = redis::cmd("SADD");
            add.arg(self.keys.codes(partition, poll.id));
            for voter in some {
                add.arg(voter.0.as_bytes().as_slice());
            }
            add.exec_async(connection).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}
