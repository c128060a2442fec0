//! Measures two consumers that drain a backlog, against the bare upsert fed from memory by one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use votestream_consumer::pipeline::batch::Vote;
use votestream_consumer::pipeline::store;
use votestream_schema::{Ballot, BallotId, Choices, EntryId, Keys, PollId, VoterKey, codec};
use votestream_service::config::RedisArgs;
use votestream_service::redis as service_redis;

use crate::args::Args;
use crate::lab::Lab;
use crate::report::Report;

/// The number of rows in a batch of the baseline.
const BATCH: usize = 5_000;
/// The number of entries in one Redis pipeline while the backlog is made.
const PIPELINE: usize = 1_000;
const DRAIN_WITHIN: Duration = Duration::from_secs(180);

/// Measures the ratio.
///
/// # Errors
/// Returns an error if a server does not start, or a vote is lost.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let (mut ratios, mut bare_rates, mut rates) = (vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("drain: round {round} of {}", args.rounds);
        let bare = bare_upsert(&Lab::open().await?, args.backlog).await?;
        let drained = two_consumers(args.backlog).await?;
        eprintln!("  bare upsert {bare:.0} rows/s, two consumers {drained:.0} rows/s");
        ratios.push(drained / bare);
        bare_rates.push(bare);
        rates.push(drained);
    }
    report
        .baseline("bare upsert from memory, one connection, batches of 5,000, rows/s", &bare_rates);
    report.ratio("two consumers draining a backlog, rows/s ÷ bare upsert", 0.60, &ratios, &rates);
    Ok(())
}

fn ballot() -> anyhow::Result<Ballot> {
    let choices = Choices::from_mask(1).context("the mask holds a choice")?;
    Ok(Ballot { poll: PollId(1), voter: VoterKey::new(), id: BallotId::new(), choices })
}

/// Runs the consumer's upsert over one connection, a transaction for each batch, with votes made beforehand. Returns rows
/// per second.
async fn bare_upsert(lab: &Lab, rows: usize) -> anyhow::Result<f64> {
    let client = lab.client().await?;
    let now_ms = votestream_schema::poll::now_ms();
    let mut votes = Vec::with_capacity(rows);
    for source in 0..rows {
        let entry = EntryId { ms: now_ms + (source / 100) as i64, seq: source as i64 };
        votes.push(Vote {
            ballot: ballot()?,
            entry,
            source,
            replaces: false,
            needs_code: false,
            is_logged: false,
        });
    }
    votes.sort_by_key(|vote| vote.ballot.voter);
    let started = Instant::now();
    for batch in votes.chunks(BATCH) {
        store::upsert(&client, batch).await?;
    }
    let elapsed = started.elapsed();
    let counted = lab.voters(&client).await?;
    ensure!(counted == rows as i64, "{counted} of {rows} rows were counted");
    Ok(rows as f64 / elapsed.as_secs_f64())
}

async fn two_consumers(backlog: usize) -> anyhow::Result<f64> {
    let mut lab = Lab::open().await?;
    fill(&lab, backlog).await?;
    let client = Arc::new(lab.client().await?);
    let watch = tokio::spawn(time_drain(client, backlog as i64));
    lab.start("consumer").await?;
    lab.start("consumer").await?;
    watch.await?
}

/// Returns rows per second from the first counted batch to the last. The start of the processes is not measured.
async fn time_drain(client: Arc<tokio_postgres::Client>, backlog: i64) -> anyhow::Result<f64> {
    let deadline = Instant::now() + DRAIN_WITHIN;
    let mut first = None;
    loop {
        let row = client.query_one("SELECT sum(voters)::int8 FROM poll_tally", &[]).await?;
        let (counted, now): (i64, Instant) = (row.get(0), Instant::now());
        let (at_first, since) = *first.get_or_insert((counted, now));
        if at_first == 0 && counted > 0 {
            first = Some((counted, now));
        }
        if counted >= backlog {
            return Ok((counted - at_first) as f64 / (now - since).as_secs_f64());
        }
        ensure!(now < deadline, "only {counted} of {backlog} ballots were counted in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Appends ballots to the streams as a producer does.
async fn fill(lab: &Lab, backlog: usize) -> anyhow::Result<()> {
    let keys = Keys::default();
    let partitions = votestream_schema::keys::PARTITIONS_DEFAULT;
    let manager = service_redis::Manager::new(&redis_args(lab)?)?;
    let mut connection = manager.connect(Duration::from_secs(10)).await?;
    let mut left = backlog;
    while left > 0 {
        let now = left.min(PIPELINE);
        let mut pipeline = redis::pipe();
        for _ in 0..now {
            let ballot = ballot()?;
            let stream = keys.stream(ballot.voter.partition(partitions));
            let add = pipeline.cmd("XADD").arg(stream).arg("*");
            add.arg(codec::FIELD_BALLOT).arg(codec::encode(&ballot)).ignore();
        }
        pipeline.exec_async(&mut connection).await?;
        left -= now;
    }
    Ok(())
}

fn redis_args(lab: &Lab) -> anyhow::Result<RedisArgs> {
    Ok(RedisArgs {
        redis_url: lab.redis_url().parse()?,
        redis_url_file: None,
        redis_cluster: false,
        redis_ca_file: None,
        key_prefix: votestream_schema::keys::PREFIX_DEFAULT.to_owned(),
    })
}
