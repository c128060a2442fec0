//! Replaces the redis crate's log lines about cluster nodes by a few lines of ours.
//!
//! While a node is away, the redis crate logs every attempt to reach it, several a second. The default
//! log filter drops those lines (`LOG_LEVEL=info,redis=warn` shows them), and this module reads them
//! and logs which node is away, why, and when it is back.
//!
//! Invariant: at most two warnings per node and minute, and no more than `NODES_MAX` nodes remembered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use tracing_log::{AsLog, LogTracer};

use crate::telemetry::log_throttle::LogThrottle;

/// Shortest time between two warnings of the same kind about the same node.
const WARN_PERIOD: Duration = Duration::from_secs(60);
/// A cluster has far fewer nodes; the bound protects memory if the redis crate changes its texts.
const NODES_MAX: usize = 256;

/// Makes tracing record the lines of crates that use `log`, with those of the redis crate condensed.
///
/// # Errors
/// Returns an error if the process has a logger already.
pub(super) fn install() -> Result<(), log::SetLoggerError> {
    let logger = RedisLog { tracer: LogTracer::new(), nodes: Mutex::default() };
    log::set_boxed_logger(Box::new(logger))?;
    log::set_max_level(tracing::level_filters::LevelFilter::current().as_log().max(NODE_LEVEL));
    Ok(())
}

/// The redis crate logs lost nodes as warnings, and nodes that are back at this level.
const NODE_LEVEL: LevelFilter = LevelFilter::Info;

struct RedisLog {
    /// Passes lines on to tracing, which filters them by `LOG_LEVEL`.
    tracer: LogTracer,
    nodes: Mutex<BTreeMap<String, NodeState>>,
}

impl Log for RedisLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_about_nodes(metadata) || self.tracer.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if is_about_nodes(record.metadata())
            && let Some(event) = NodeEvent::parse(&record.args().to_string())
        {
            let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            let line = note(&mut nodes, &event);
            drop(nodes);
            let node = &event.node;
            match line {
                Some(line) if event.problem.is_some() => tracing::warn!(node, "{line}"),
                Some(line) => tracing::info!(node, "{line}"),
                None => {}
            }
        }
        self.tracer.log(record);
    }

    fn flush(&self) {}
}

fn is_about_nodes(metadata: &Metadata<'_>) -> bool {
    metadata.level() <= Level::Info && metadata.target().starts_with("redis::")
}

/// The warnings about one node so far.
#[derive(Debug)]
struct NodeState {
    lost: LogThrottle,
    unreachable: LogThrottle,
    is_away: bool,
}

/// A change of one cluster node, as a line of the redis crate describes it.
#[derive(Debug, PartialEq)]
struct NodeEvent {
    /// Host and port of the node.
    node: String,
    /// `None` when the node is back.
    problem: Option<Problem>,
}

#[derive(Debug, PartialEq)]
enum Problem {
    /// An open connection broke.
    Lost,
    /// A new connection failed for this reason.
    Unreachable(String),
}

impl NodeEvent {
    /// Reads a line of the redis crate; `None` for lines about anything else.
    fn parse(line: &str) -> Option<Self> {
        let event = |node: &str, problem| Some(Self { node: node.trim().to_owned(), problem });
        if let Some(rest) = line.strip_prefix("Failed to connect to node: ") {
            let (node, reason) = rest.split_once(", due to: ")?;
            return event(node, Some(Problem::Unreachable(reason.to_owned())));
        }
        let rest = line.strip_prefix("ClusterConnInner: ")?;
        if let Some(node) = rest.strip_prefix("reconnected to ") {
            return event(node, None);
        }
        let node = rest.strip_prefix("connection to ")?.split_once(" lost")?.0;
        event(node, Some(Problem::Lost))
    }
}

/// Remembers an event; returns the line to log, if it is time for one.
fn note(nodes: &mut BTreeMap<String, NodeState>, event: &NodeEvent) -> Option<String> {
    let NodeEvent { node, problem } = event;
    if nodes.len() >= NODES_MAX && !nodes.contains_key(node) {
        nodes.clear();
    }
    let state = nodes.entry(node.clone()).or_insert_with(|| NodeState {
        lost: LogThrottle::new(WARN_PERIOD),
        unreachable: LogThrottle::new(WARN_PERIOD),
        is_away: false,
    });
    let was_away = std::mem::replace(&mut state.is_away, problem.is_some());
    match problem {
        Some(Problem::Lost) => {
            state.lost.happened()?;
            Some(format!("the connection to redis node {node} is lost, reconnecting"))
        }
        Some(Problem::Unreachable(reason)) => {
            let attempts = state.unreachable.happened()?;
            Some(format!(
                "redis node {node} is away, trying again until it answers ({attempts} failed \
                 attempts since the last such line): {reason}"
            ))
        }
        None => was_away.then(|| format!("redis node {node} is back")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_away_is_named_once_a_minute() {
        let mut nodes = BTreeMap::new();
        let mut logged = |line: &str| note(&mut nodes, &NodeEvent::parse(line).unwrap());
        let lost = "ClusterConnInner: connection to redis-0:6379 lost; repairing in background";
        let failed = "Failed to connect to node: redis-0:6379, due to: Connection refused";
        let back = "ClusterConnInner: reconnected to redis-0:6379 ";

        assert!(logged(lost).unwrap().contains("redis-0:6379 is lost"));
        assert!(logged(failed).unwrap().ends_with("): Connection refused"));
        for _ in 0..1_000 {
            assert_eq!((logged(lost), logged(failed)), (None, None));
        }
        assert_eq!(logged(back).unwrap(), "redis node redis-0:6379 is back");
        assert_eq!(logged(back), None, "another connection of the same process");
        tokio::time::advance(WARN_PERIOD).await;
        assert!(logged(failed).unwrap().contains("1001 failed attempts"));
        let other = "Failed to connect to node: redis-1:6379, due to: timed out";
        assert!(logged(other).unwrap().contains("redis-1:6379 is away"));
    }

    #[test]
    fn other_lines_are_left_alone() {
        assert_eq!(NodeEvent::parse("async cluster client recovery: beginning slot refresh"), None);
    }

    /// Keeps the lines that the redis crate writes.
    struct Kept(Mutex<Vec<String>>);

    impl Log for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            is_about_nodes(metadata)
        }

        fn log(&self, record: &Record<'_>) {
            if self.enabled(record.metadata()) {
                self.0.lock().unwrap().push(record.args().to_string());
            }
        }

        fn flush(&self) {}
    }

    /// A new version of the redis crate that words its lines differently fails here.
    #[tokio::test]
    async fn the_lines_of_the_redis_crate_are_understood() {
        static KEPT: Kept = Kept(Mutex::new(Vec::new()));
        log::set_logger(&KEPT).unwrap();
        log::set_max_level(NODE_LEVEL);
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);

        let client = redis::cluster::ClusterClient::new(vec![format!("redis://{address}")]);
        client.unwrap().get_async_connection().await.map(drop).unwrap_err();
        let lines = KEPT.0.lock().unwrap();
        let event = lines.iter().find_map(|line| NodeEvent::parse(line));
        let event = event.unwrap_or_else(|| panic!("no line about a node: {lines:?}"));
        assert_eq!(event.node, address.to_string());
        assert!(
            matches!(event.problem, Some(Problem::Unreachable(reason)) if reason.contains("refused"))
        );
    }
}
