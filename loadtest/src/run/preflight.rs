//! All checks before the first ballot.
//!
//! Invariant: errors in the arguments or of the target show here, before any load has been sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::audit::database::Database;
use crate::config::Config;
use crate::http::addresses::Addresses;
use crate::http::client::ApiClient;
use crate::http::connection::ExchangeError;
use crate::http::endpoint::{Endpoint, tls_roots, tls_unverified};
use crate::http::proxy::Proxy;
use crate::http::target::Target;
use crate::poll::{Poll, Snapshot, VoterPolicy};
use crate::run::scrape::Scraper;
use crate::voters::crowd::Crowd;
use crate::voters::weights::Weights;

/// A target that is ready, with everything that is needed to load it.
pub(crate) struct Prepared {
    pub(crate) poll: Arc<Poll>,
    pub(crate) crowd: Crowd,
    /// The targets; the poll was read from the first.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) results: Option<ResultsSource>,
    pub(crate) scraper: Scraper,
    pub(crate) database: Option<RowsSource>,
    /// The most connections that send ballots, over all threads.
    pub(crate) connections_max: usize,
}

/// The dashboard, with the tally from before the run.
pub(crate) struct ResultsSource {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: ApiClient,
    /// The tally before the run; `None` if the poll hides it.
    pub(crate) before: Option<Snapshot>,
}

/// The database, with its state from before the run.
pub(crate) struct RowsSource {
    pub(crate) database: Database,
    /// The keys of all rows before the run.
    pub(crate) voters: HashSet<u128>,
    /// How the database's poll differs from the target's; `None` if they agree.
    pub(crate) difference: Option<String>,
}

/// A connection that takes longer to open counts as failed.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Checks the arguments and the target. It waits for servers that do not answer yet, as long as
/// [`Config::wait`] says, because a pod may run before its network policies allow it to connect.
///
/// # Errors
/// Returns an error for bad arguments, and for a refused or unreachable target.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Prepared> {
    let deadline = Instant::now() + config.wait;
    let mut announced = false;
    loop {
        match prepare_now(config).await {
            Err(error) if Instant::now() < deadline && does_not_answer(&error) => {
                if !std::mem::replace(&mut announced, true) {
                    eprintln!(
                        "no answer yet, waiting up to {:?} and retrying every {WAIT_STEP:?}: {error:#}",
                        config.wait
                    );
                }
                tokio::time::sleep(WAIT_STEP).await;
            }
            done => return done,
        }
    }
}

/// Returns whether the server did not answer at all. A server that answers will not answer
/// differently soon.
fn does_not_answer(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<ExchangeError>() {
        Some(ExchangeError::Connect(_) | ExchangeError::Timeout | ExchangeError::Broken(_)) => true,
        Some(ExchangeError::MalformedReply(_)) => false,
        None => {
            matches!(cause.downcast_ref(), Some(crate::http::target::TargetError::Unknown { .. }))
        }
    })
}

async fn prepare_now(config: &Config) -> anyhow::Result<Prepared> {
    ensure!((1..=256).contains(&config.threads), "--threads must be 1 to 256");
    // Resolve all addresses, and check whether each of them may be loaded.
    let https = std::iter::once(&config.target)
        .chain(&config.more_targets)
        .chain(&config.results)
        .chain(&config.metrics)
        .any(|t| t.https);
    let roots = match (https, config.insecure) {
        (false, _) => None,
        (true, false) => Some(tls_roots(config.ca_file.as_deref())?),
        (true, true) => Some(tls_unverified()?),
    };
    let endpoint = async |target: &Target| -> anyhow::Result<Endpoint> {
        let addresses = Addresses::of(target, &config.allowed, &config.resolve).await?;
        let proxy = Proxy::of(target, |name| std::env::var(name).ok())?;
        let (headers, target) = (config.headers.as_slice(), target.clone());
        let endpoint = Endpoint::new(target, addresses, roots.as_ref(), headers, CONNECT_TIME_MAX)?;
        match proxy {
            Some(proxy) => Ok(endpoint.through(proxy.resolve().await?)),
            None => Ok(endpoint),
        }
    };
    // All addresses are checked before a request is sent to any of them.
    let mut endpoints = vec![endpoint(&config.target).await?];
    for target in &config.more_targets {
        endpoints.push(endpoint(target).await?);
    }
    let results = match &config.results {
        Some(results) => Some(endpoint(results).await?),
        None => None,
    };
    let mut scrapes = Vec::new();
    for metrics in &config.metrics {
        let path =
            if metrics.base.is_empty() { "/metrics".to_owned() } else { metrics.base.clone() };
        let bare = Target { base: String::new(), ..metrics.clone() };
        let client = ApiClient::new(Arc::new(endpoint(&bare).await?), CONNECT_TIME_MAX);
        scrapes.push((metrics.to_string(), path, client));
    }
    let connections_max = connections_max(config)?;

    // Read the poll, and make the voters for it.
    let mut polls = Vec::new();
    for endpoint in &endpoints {
        let mut producer = ApiClient::new(Arc::new(endpoint.clone()), config.reply_time_max);
        let poll = producer.poll(&config.poll).await;
        polls.push(
            poll.with_context(|| format!("the target {} cannot be loaded", endpoint.target))?,
        );
    }
    let poll = polls.swap_remove(0);
    ensure!(
        polls.iter().all(|other| *other == poll),
        "the targets describe the poll '{}' differently: they are not one deployment",
        poll.slug
    );
    ensure!(poll.state == "open", "the poll '{}' is {}, not open", poll.slug, poll.state);
    let crowd = crowd(config, Arc::new(poll))?;
    // Take the figures from before the load: the tally, the metrics, and the rows of the database.
    let results = match results {
        Some(endpoint) => Some(results_of(config, endpoint, &crowd.poll).await?),
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
            let voters = database.voters().await.context("cannot read the votes")?;
            let difference = database.difference(&crowd.poll).await;
            let difference = difference.context("cannot read the poll in the database")?;
            Some(RowsSource { database, voters, difference })
        }
        None => None,
    };
    let poll = Arc::clone(&crowd.poll);
    Ok(Prepared { poll, crowd, endpoints, results, scraper, database, connections_max })
}

async fn results_of(
    config: &Config,
    endpoint: Endpoint,
    poll: &Poll,
) -> anyhow::Result<ResultsSource> {
    let mut client = ApiClient::new(Arc::new(endpoint.clone()), config.reply_time_max);
    let before = client.tally(poll).await;
    let before =
        before.with_context(|| format!("the results {} cannot be read", endpoint.target))?;
    Ok(ResultsSource { endpoint, client, before })
}

fn crowd(config: &Config, poll: Arc<Poll>) -> anyhow::Result<Crowd> {
    let weights = Weights::parse(config.weights.as_deref(), &poll)?;
    let needed =
        if config.closed_connections.is_some() { config.voters_max } else { config.plan.voters() };
    match (&config.codes, poll.voter_policy) {
        (None, VoterPolicy::Code) => {
            bail!("the poll '{}' requires voting codes: give a file with --codes", poll.slug)
        }
        (Some(codes), VoterPolicy::Code) if (codes.len() as u64) < needed => {
            bail!("{needed} voters need {needed} voting codes, but the file has {}", codes.len());
        }
        _ => {}
    }
    let codes =
        config.codes.clone().filter(|_| poll.voter_policy == VoterPolicy::Code).map(Arc::new);
    let cookies = config.cookies.clone();
    Ok(Crowd { seed: config.seed, mix: config.mix.clone(), weights, poll, codes, cookies })
}

/// The pause between two attempts to reach servers that do not answer yet.
const WAIT_STEP: Duration = Duration::from_millis(250);

/// Returns the most connections that send ballots. Each is an open file, and too few of them would
/// look like a failing target.
fn connections_max(config: &Config) -> anyhow::Result<usize> {
    let allowed =
        usize::try_from(crate::measure::machine::raise_open_files()).unwrap_or(usize::MAX);
    let left = allowed.saturating_sub(config.viewers + config.stalled_viewers + FILES_SPARE);
    let left = left / (1 + config.more_targets.len());
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

/// The most connections in the open model, unless the operator says otherwise. With few connections
/// the wait for a free one, and not the timetable, would set the rate of a slow target.
const CONNECTIONS_MAX: usize = 4096;

/// Open files that are reserved for everything else.
const FILES_SPARE: usize = 64;
