//! Starts logs and metrics, once per process.

mod json_lines;
pub mod log_throttle;
mod redis_log;
mod repeats;

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{CommonArgs, LogFormat};
use crate::metric::Metric;
use crate::{metric, metrics};
use json_lines::JsonLines;
use repeats::Repeats;

/// Holds whatever `LOG_LEVEL` says: at debug level tokio-postgres logs the parameters of statements,
/// which are who voted for which option.
const PRIVACY_FILTER: &str = "tokio_postgres=info";
/// Holds unless `LOG_LEVEL` names `redis`; [`redis_log`] logs which node is away instead.
const QUIET_FILTER: &str = "redis=off";

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
    let repeats = Repeats::default();
    log_through(service, args, Some(repeats.clone()))?;
    tokio::spawn(repeats.write_sums());
    crate::tls::install_crypto_provider();
    let tables = [&[metrics::COMMON, metrics::PROCESS], tables].concat();
    let exporter = metric::exporter(&tables)?;
    let handle = exporter.install_recorder().context("metrics were started twice")?;
    tables.iter().for_each(|table| metric::describe(table));
    metrics::BUILD_INFO.with([service, VERSION, REVISION.unwrap_or("unknown")]).set(1.0);
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Version of all our programs.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Revision of the source, set at build time by the release's build.
const REVISION: Option<&str> = option_env!("VOTESTREAM_REVISION");

/// Starts logging without metrics. Lines of JSON name `service` and its version.
///
/// # Errors
/// Returns an error if the log filter does not parse, or if logging was started before.
pub fn start_logging(service: &str, args: &CommonArgs) -> anyhow::Result<()> {
    // Such a tool says each thing once, and an operator reads every line.
    log_through(service, args, None)
}

/// Starts logging; `repeats` holds back lines that repeat.
fn log_through(service: &str, args: &CommonArgs, repeats: Option<Repeats>) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&args.log_level)?)
        .with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(builder.finish().with(repeats)),
        LogFormat::Json => {
            let lines = JsonLines::new(service, VERSION);
            let json = builder.fmt_fields(JsonFields::new()).event_format(lines).finish();
            tracing::subscriber::set_global_default(json.with(repeats))
        }
    };
    started.context("logging was started twice")?;
    redis_log::install().context("logging was started twice")
}

/// Reads `LOG_LEVEL`, between the filter that it may override and the one that it may not.
fn filter(log_level: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(format!("{QUIET_FILTER},{log_level}"));
    let filter = filter.with_context(|| {
        format!("LOG_LEVEL `{log_level}` is not a filter: use `info` or `info,redis=debug`")
    })?;
    Ok(filter.add_directive(PRIVACY_FILTER.parse()?))
}

/// Records how many connections of a pool are idle and in use, and how many it may open.
pub fn record_pool(name: &'static str, state: &bb8::State, connections_max: u32) {
    let idle = f64::from(state.idle_connections);
    let all = f64::from(state.connections);
    metrics::POOL_CONNECTIONS.with([name, "idle"]).set(idle);
    metrics::POOL_CONNECTIONS.with([name, "used"]).set(all - idle);
    metrics::POOL_CONNECTIONS_MAX.with([name]).set(f64::from(connections_max));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_level_overrides_what_is_quiet_but_not_what_is_private() {
        let directives = |level: &str| filter(level).unwrap().to_string();
        let has = |level: &str, directive: &str| {
            directives(level).split(',').any(|found| found == directive)
        };
        assert!(has("info", "info") && has("info", "redis=off"));
        assert!(has("info,redis=debug", "redis=debug") && !has("info,redis=debug", "redis=off"));
        assert!(has("trace,tokio_postgres=trace", "tokio_postgres=info"));
        assert!(!has("trace,tokio_postgres=trace", "tokio_postgres=trace"));
        assert!(filter("redis=loud").unwrap_err().to_string().contains("`redis=loud`"));
    }
}
