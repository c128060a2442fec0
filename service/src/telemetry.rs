//! Logs and metrics: started once per process.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{CommonArgs, LogFormat};
use crate::{metric, metrics_help};

/// Bounds of every `_seconds` histogram, in seconds: 0.5 ms to 30 s, about a factor of two apart.
const SECONDS_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0,
    15.0, 30.0,
];
/// Bounds of every `_entries` histogram: batch sizes.
const ENTRIES_BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0];

/// Whatever LOG_LEVEL says: tokio-postgres logs the parameters of statements, which are who voted
/// for what.
const DISCREET: &str = "tokio_postgres=info";

/// Starts logging to standard error and recording metrics; to be called first, once.
///
/// # Errors
/// When the log filter does not parse, or this was called before.
pub fn start(service: &'static str, args: &CommonArgs) -> anyhow::Result<PrometheusHandle> {
    start_logging(args)?;
    crate::tls::install_crypto_provider();
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_entries".into()), ENTRIES_BUCKETS)?
        .install_recorder()
        .context("metrics were started twice")?;
    describe_common(service);
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
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

fn describe_common(service: &'static str) {
    for table in [metrics_help::COMMON, metrics_help::PROCESS] {
        metric::describe(table);
    }
    let revision = REVISION.unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!(
        "votestream_build_info",
        "service" => service, "version" => version, "revision" => revision
    )
    .set(1.0);
}

/// Exports how a pool is used, under its name.
pub fn record_pool(name: &'static str, state: &bb8::State, connections_max: u32) {
    let idle = f64::from(state.idle_connections);
    let all = f64::from(state.connections);
    metrics::gauge!("votestream_pool_connections", "pool" => name, "state" => "idle").set(idle);
    metrics::gauge!("votestream_pool_connections", "pool" => name, "state" => "used")
        .set(all - idle);
    metrics::gauge!("votestream_pool_connections_max", "pool" => name)
        .set(f64::from(connections_max));
}
