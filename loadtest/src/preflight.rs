//! Everything that is looked at before the first ballot.
//!
//! Invariant: what is wrong with arguments or target shows here, as a plain error, and no load has
//! been sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::client::Client;
use crate::config::Config;
use crate::connection::Fault;
use crate::database::Database;
use crate::mix::Weights;
use crate::poll::{Poll, Snapshot, VoterPolicy};
use crate::scrape::Scraper;
use crate::target::Target;
use crate::voter::Crowd;
use crate::wire::{Route, tls_roots};

/// A target that was found ready, and all that is needed to load it.
pub(crate) struct Prepared {
    pub(crate) poll: Arc<Poll>,
    pub(crate) crowd: Crowd,
    pub(crate) route: Route,
    pub(crate) results: Option<Results>,
    pub(crate) scraper: Scraper,
    pub(crate) database: Option<(Database, HashSet<u128>)>,
    /// Most connections that send ballots.
    pub(crate) connections_max: usize,
}

/// Where results come from.
pub(crate) struct Results {
    pub(crate) route: Route,
    pub(crate) client: Client,
    /// The tally before the run; `None` when the poll hides it.
    pub(crate) before: Option<Snapshot>,
}

/// Connections to servers that answer take no longer than this.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Checks arguments and target; servers that do not answer yet are waited for as long as
/// [`Config::wait`] says. A pod may run before its network lets it out.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Prepared> {
    let deadline = Instant::now() + config.wait;
    let mut told = false;
    loop {
        match prepare_now(config).await {
            Err(error) if Instant::now() < deadline && does_not_answer(&error) => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("waiting up to {:?}: {error:#}", config.wait);
                }
                tokio::time::sleep(WAIT_STEP).await;
            }
            done => return done,
        }
    }
}

/// Whether there was no answer at all; whoever answers will not say something else soon.
fn does_not_answer(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<Fault>() {
        Some(Fault::Connect(_) | Fault::Timeout | Fault::Broken(_)) => true,
        Some(Fault::Malformed(_)) => false,
        None => matches!(cause.downcast_ref(), Some(crate::target::Error::Unknown { .. })),
    })
}

async fn prepare_now(config: &Config) -> anyhow::Result<Prepared> {
    ensure!((1..=256).contains(&config.threads), "--threads is 1 to 256");
    let https = std::iter::once(&config.target)
        .chain(&config.results)
        .chain(&config.metrics)
        .any(|t| t.https);
    let roots = if https { Some(tls_roots(config.ca_file.as_deref())?) } else { None };
    let route = async |target: &Target| -> anyhow::Result<Route> {
        let addresses = target.resolve().await?;
        target.check(&addresses, &config.allowed)?;
        Route::new(target.clone(), addresses, roots.as_ref(), CONNECT_TIME_MAX)
    };
    // All addresses are checked before any of them is spoken to.
    let target = route(&config.target).await?;
    let results = match &config.results {
        Some(results) => Some(route(results).await?),
        None => None,
    };
    let mut scrapes = Vec::new();
    for metrics in &config.metrics {
        let path =
            if metrics.base.is_empty() { "/metrics".to_owned() } else { metrics.base.clone() };
        let bare = Target { base: String::new(), ..metrics.clone() };
        let client = Client::new(Arc::new(route(&bare).await?), CONNECT_TIME_MAX);
        scrapes.push((metrics.to_string(), path, client));
    }
    let connections_max = connections_max(config)?;

    let mut producer = Client::new(Arc::new(target.clone()), config.reply_time_max);
    let poll = producer
        .poll(&config.poll)
        .await
        .with_context(|| format!("the target {} cannot be loaded", config.target))?;
    ensure!(poll.state == "open", "the poll '{}' is {}, not open", poll.slug, poll.state);
    let crowd = crowd(config, Arc::new(poll))?;
    let results = match results {
        Some(route) => Some(results_of(config, route, &crowd.poll).await?),
        None => None,
    };
    let mut scraper = Scraper::new(scrapes);
    if !scraper.is_idle() {
        scraper.scrape().await;
    }
    let database = match &config.database_url {
        Some(url) => {
            let database =
                Database::open(url, config.database_ca_file.as_deref(), &crowd.poll).await?;
            let before = database.voters().await.context("cannot read the votes")?;
            Some((database, before))
        }
        None => None,
    };
    let poll = Arc::clone(&crowd.poll);
    Ok(Prepared { poll, crowd, route: target, results, scraper, database, connections_max })
}

async fn results_of(config: &Config, route: Route, poll: &Poll) -> anyhow::Result<Results> {
    let mut client = Client::new(Arc::new(route.clone()), config.reply_time_max);
    let before = client.tally(poll).await;
    let before = before.with_context(|| format!("the results {} cannot be read", route.target))?;
    Ok(Results { route, client, before })
}

fn crowd(config: &Config, poll: Arc<Poll>) -> anyhow::Result<Crowd> {
    let weights = Weights::parse(config.weights.as_deref(), &poll)?;
    let needed =
        if config.closed_connections.is_some() { config.voters_max } else { config.plan.voters() };
    match (&config.codes, poll.voter_policy) {
        (None, VoterPolicy::Code) => {
            bail!("the poll '{}' wants voting codes: give a file with --codes", poll.slug)
        }
        (Some(codes), VoterPolicy::Code) if (codes.len() as u64) < needed => {
            bail!("{needed} voters need as many codes; there are {}", codes.len());
        }
        _ => {}
    }
    let codes =
        config.codes.clone().filter(|_| poll.voter_policy == VoterPolicy::Code).map(Arc::new);
    let cookies = config.cookies.clone();
    Ok(Crowd { seed: config.seed, mix: config.mix.clone(), weights, poll, codes, cookies })
}

/// Between two looks at servers that do not answer yet.
const WAIT_STEP: Duration = Duration::from_millis(250);

/// A connection is an open file; too few of them would look like a failing target.
fn connections_max(config: &Config) -> anyhow::Result<usize> {
    let allowed = usize::try_from(crate::host::raise_open_files()).unwrap_or(usize::MAX);
    let left = allowed.saturating_sub(config.viewers + config.stalled_viewers + FILES_SPARE);
    let wanted = config.closed_connections.or(config.connections_max);
    let given = wanted.unwrap_or(CONNECTIONS_MAX.min(left));
    ensure!(
        given >= config.threads,
        "every thread needs a connection: {given} for {}",
        config.threads
    );
    ensure!(
        given <= left,
        "{} open files are needed for viewers and connections, the system allows {allowed}: \
         raise `ulimit -n`, or divide the load with --shard",
        given + allowed - left
    );
    Ok(given)
}

/// Connections in the open model unless told otherwise. Few of them would make waiting for a free
/// one, and not the timetable, set the rate of a slow target.
const CONNECTIONS_MAX: usize = 4096;

/// Open files for everything else.
const FILES_SPARE: usize = 64;
