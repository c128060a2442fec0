//! The accounts of each poll: what became of every ballot that Redis has accepted.
//!
//! They are taken every two seconds, by whichever replica is first. Redis is read first, a partition at a time ([`Cut`]), and then
//! Postgres at one moment, without the ballots whose entries came after the cut of their partition. The dashboard shows
//! the accounts.
//!
//! Invariants: what is not known is not stored; the accounts then only grow older. A ballot that is still in a stream may be
//! counted already, so a difference as large as what waits at most is called waiting.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use redis::Script;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use votestream_schema::poll_copy::cmd;
use votestream_schema::watermark::{self, StreamState};
use votestream_schema::{Keys, PollId};
use votestream_service::CancellationToken;
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::jobs::audit_cut::Cut;
use crate::pipeline::worker::NO_SUCH_CODE;

/// Time between two accounts.
const PERIOD: Duration = Duration::from_secs(2);
/// After the accounts were taken, the next ones are taken no sooner than this many times what that took.
const REST_FACTOR: u32 = 20;
/// The time-out of one statement: a live poll has every vote read.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The most dead letters of a partition that are read; if there are more, no accounts are taken.
const DEAD_LETTERS_MAX: usize = 20_000;

/// Takes the accounts of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Accountant {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
}

/// What became of the ballots of one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    accepted: i64,
    counted: i64,
    replaced: i64,
    out_of_time: i64,
    no_such_code: i64,
    dead: i64,
    dropped: i64,
    waiting: i64,
}

impl Account {
    fn settled(&self) -> i64 {
        let Self { counted, replaced, out_of_time, no_such_code, dead, dropped, .. } = self;
        counted + replaced + out_of_time + no_such_code + dead + dropped
    }
}

impl Accountant {
    /// Creates a job over partitions 0 to `partitions`, exclusive.
    pub(crate) fn new(
        redis: Pool,
        postgres: postgres::Pool,
        (keys, partitions): (Keys, u16),
    ) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Takes the accounts regularly until `shutdown`.
    pub(crate) async fn watch(self, shutdown: CancellationToken) {
        let work = async {
            loop {
                // The readiness gates report a server that is down.
                let worked = self.take().await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "the accounts could not be taken");
                    Duration::ZERO
                });
                tokio::time::sleep(PERIOD.max(REST_FACTOR * worked)).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    /// Takes the accounts once, unless another replica has just done that. Returns how long Postgres worked for it.
    async fn take(&self) -> Result<Duration, ServerError> {
        let (now, last) = self.session().await?.run(times_ms).await?;
        // An account from the future has been taken by a clock that was wrong.
        if last <= now && now < last + PERIOD.as_millis() as i64 / 2 {
            return Ok(Duration::ZERO);
        }
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        let mut worked = Duration::ZERO;
        if let Some(accounts) = self.measure(&mut connection, now, &mut worked).await? {
            let mut session = self.session().await?;
            session.run(async |client| store(client, now, &accounts).await).await?;
        }
        Ok(worked)
    }

    async fn session(&self) -> Result<postgres::Borrowed<'_>, ServerError> {
        let session = self.postgres.get().await;
        session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))
    }

    /// Measures both servers; `None` while something is not known. `now_ms` is Postgres' time before. Adds to `worked` how long
    /// Postgres worked; the wait for the consumers is no work.
    async fn measure(
        &self,
        connection: &mut Connection,
        now_ms: i64,
        worked: &mut Duration,
    ) -> Result<Option<Accounts>, ServerError> {
        let cut = Cut::read(connection, &self.keys, self.partitions).await?;
        let settled = cut.settle(connection, &self.keys).await?;
        let in_streams = match settled.waiting {
            0 => HashMap::new(),
            _ => match self.in_streams(connection).await? {
                Some(ballots) => ballots,
                None => return Ok(None),
            },
        };
        let Some(dead) = self.dead_letters(connection, &cut).await? else {
            return Ok(None);
        };
        let mut session = self.session().await?;
        let started = Instant::now();
        let snapshot = session.begin_snapshot(STATEMENT_TIMEOUT).await?;
        // The snapshot begins with this statement; whatever Redis has accepted by then may be in it.
        let lost = "SELECT EXISTS (SELECT FROM stream_regressions)";
        let is_lost: bool = snapshot.query_typed_one(lost, &[]).await?.get(0);
        let after = Cut::read(connection, &self.keys, self.partitions).await?;
        let (accepted, dropped) = (cut.accepted_by_poll(), after.dropped_by_poll());
        let is_still = after.accepted_by_poll() == accepted;
        let (last_ms, last_seq): (Vec<i64>, Vec<i64>) =
            cut.last().map(|last| (last.ms, last.seq)).unzip();
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&last_ms, Type::INT8_ARRAY),
            (&last_seq, Type::INT8_ARRAY),
            (&now_ms, Type::INT8),
            (&is_still, Type::BOOL),
        ];
        let sql = include_str!("../../sql/accounts_counted.sql");
        let rows = snapshot.query_typed(sql, &parameters).await?;
        snapshot.commit().await?;
        *worked += started.elapsed();
        let mut by_poll = BTreeMap::new();
        for row in rows {
            if row.get::<_, i64>(4) > 0 {
                return Ok(None);
            }
            let poll = PollId(row.get(0));
            let of = |numbers: &BTreeMap<PollId, i64>| numbers.get(&poll).copied().unwrap_or(0);
            let mut account = Account {
                accepted: of(&accepted),
                counted: row.get(1),
                replaced: row.get(2),
                out_of_time: row.get(3),
                no_such_code: of(&dead.without_code),
                dead: of(&dead.others),
                dropped: of(&dropped),
                waiting: 0,
            };
            let in_streams = in_streams.get(&poll).copied().unwrap_or(0);
            account.waiting = (account.accepted - account.settled()).clamp(0, in_streams);
            by_poll.insert(poll, account);
        }
        Ok(Some(Accounts { by_poll, is_lost }))
    }

    /// The entries of each poll that are in the streams; `None` if they are too many to be told apart.
    async fn in_streams(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<HashMap<PollId, i64>>, ServerError> {
        let mut streams = Vec::new();
        for partition in 0..self.partitions {
            let script = cmd(&watermark::script(&self.keys, partition, false));
            let reply: Vec<String> = script.query_async(connection).await?;
            streams.push(StreamState::parse(&reply).ok_or(ServerError::IncompleteRedisReply {
                command: "the script of watermarks",
                missing: "state of the stream",
            })?);
        }
        Ok(watermark::waiting(streams.iter(), None))
    }

    /// The dead letters of entries before the cut, by poll; `None` if they are too many.
    async fn dead_letters(
        &self,
        connection: &mut Connection,
        cut: &Cut,
    ) -> Result<Option<DeadLetters>, ServerError> {
        let script = Script::new(include_str!("../streams/dead_by_poll.lua"));
        let mut found = DeadLetters::default();
        for (partition, last) in (0..).zip(cut.last()) {
            let mut call = script.key(self.keys.dead_letters(partition));
            call.arg(last.ms).arg(last.seq).arg(DEAD_LETTERS_MAX).arg(NO_SUCH_CODE);
            let reply: Vec<i64> = call.invoke_async(connection).await?;
            let Some((1, polls)) = reply.split_first() else { return Ok(None) };
            for poll in polls.chunks_exact(3) {
                let Ok(id) = i32::try_from(poll[0]) else { continue };
                *found.without_code.entry(PollId(id)).or_default() += poll[2];
                *found.others.entry(PollId(id)).or_default() += poll[1] - poll[2];
            }
        }
        Ok(Some(found))
    }
}

/// The accounts of all polls.
struct Accounts {
    by_poll: BTreeMap<PollId, Account>,
    /// Whether Redis has lost its count of accepted ballots, because it went back to an earlier state.
    is_lost: bool,
}

/// Dead letters by poll.
#[derive(Default)]
struct DeadLetters {
    without_code: BTreeMap<PollId, i64>,
    others: BTreeMap<PollId, i64>,
}

/// Reads Postgres' clock, and when the accounts were last taken, in milliseconds since the epoch.
async fn times_ms(client: &Client) -> Result<(i64, i64), tokio_postgres::Error> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8, coalesce(max(taken_at_ms), 0)::int8
        FROM accounts";
    let row = client.query_typed_one(sql, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

async fn store(
    client: &Client,
    now_ms: i64,
    accounts: &Accounts,
) -> Result<(), tokio_postgres::Error> {
    let polls: Vec<i32> = accounts.by_poll.keys().map(|poll| poll.0).collect();
    let column = |of: fn(&Account) -> i64| accounts.by_poll.values().map(of).collect::<Vec<i64>>();
    let accepted = column(|account| account.accepted).into_iter();
    let accepted: Vec<Option<i64>> =
        accepted.map(|ballots| (!accounts.is_lost).then_some(ballots)).collect();
    let columns = [
        column(|account| account.counted),
        column(|account| account.replaced),
        column(|account| account.out_of_time),
        column(|account| account.no_such_code),
        column(|account| account.dead),
        column(|account| account.dropped),
        column(|account| account.waiting),
    ];
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
        vec![(&now_ms, Type::INT8), (&polls, Type::INT4_ARRAY), (&accepted, Type::INT8_ARRAY)];
    parameters.extend(columns.iter().map(|it| (it as &(dyn ToSql + Sync), Type::INT8_ARRAY)));
    client.query_typed(include_str!("../../sql/accounts_store.sql"), &parameters).await.map(drop)
}
