//! Logs and metrics: started once per process.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{CommonArgs, LogFormat};
use crate::metric::Metric;
use crate::{metric, metrics};

/// Whatever LOG_LEVEL says: tokio-postgres logs the parameters of statements, which are who voted
/// for what.
const DISCREET: &str = "tokio_postgres=info";

/// Starts logging to standard error, and recording the metrics that all services share as well as those
/// of `tables`. Call it once, before anything is logged or recorded.
///
/// # Errors
/// Returns an error if the log filter does not parse, or if this was called before.
pub fn start(
    service: &'static str,
    tables: &[&[Metric]],
    args: &CommonArgs,
) -> anyhow::Result<PrometheusHandle> {
    start_logging(args)?;
    crate::tls::install_crypto_provider();
    let tables = [&[metrics::COMMON, metrics::PROCESS], tables].concat();
    let handle = exporter(&tables)?.install_recorder().context("metrics were started twice")?;
    tables.iter().for_each(|table| metric::describe(table));
    let version = env!("CARGO_PKG_VERSION");
    metrics::BUILD_INFO.with([service, version, REVISION.unwrap_or("unknown")]).set(1.0);
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// An exporter that knows the buckets of every declared histogram. It would export a histogram without
/// buckets as a summary.
pub(crate) fn exporter(tables: &[&[Metric]]) -> anyhow::Result<PrometheusBuilder> {
    let mut exporter = PrometheusBuilder::new();
    for metric in tables.iter().flat_map(|table| table.iter()) {
        if !metric.buckets.is_empty() {
            let name = Matcher::Full(metric.name.to_owned());
            exporter = exporter.set_buckets_for_metric(name, metric.buckets)?;
        }
    }
    Ok(exporter)
}

/// Logging alone, for command-line tools.
///
/// # Errors
/// When the log filter does not parse, or logging was started before.
pub fn start_logging(args: &CommonArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("LOG_LEVEL `{}` is not a filter", args.log_level))?
        .add_directive(DISCREET.parse()?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging was started twice: {error}"))
}

/// What was built: set by who builds a release.
const REVISION: Option<&str> = option_env!("VOTESTREAM_REVISION");

/// Exports how a pool is used, under its name.
pub fn record_pool(name: &'static str, state: &bb8::State, connections_max: u32) {
    let idle = f64::from(state.idle_connections);
    let all = f64::from(state.connections);
    metrics::POOL_CONNECTIONS.with([name, "idle"]).set(idle);
    metrics::POOL_CONNECTIONS.with([name, "used"]).set(all - idle);
    metrics::POOL_CONNECTIONS_MAX.with([name]).set(f64::from(connections_max));
}
