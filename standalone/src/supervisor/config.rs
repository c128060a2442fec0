//! The settings of the supervisor, and the ports that it chooses.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
};

use clap::Parser;

use url::Url;

use super::error::{EmptyLabel, Error, InvalidAddress, NoSlug};
use crate::servers::{free_port, is_free};

/// The first metrics port if none is set and it is free.
const METRICS_PORT: u16 = 9080;

/// Run the whole pipeline on this machine: a private Redis and Postgres, producer, consumers and dashboard. Ctrl-C
/// stops all of it and keeps the votes.
#[derive(Debug, Clone, Parser)]
#[command(name = "standalone", version)]
pub struct Config {
    /// Serve the voting page on this port; 0 for any free one
    #[arg(long, env = "VOTE_PORT", default_value_t = 8080)]
    pub vote_port: u16,
    /// Serve the results page on this port; 0 for any free one
    #[arg(long, env = "RESULTS_PORT", default_value_t = 8081)]
    pub results_port: u16,
    /// Serve the pages of organisers on this port of 127.0.0.1; 0 for any free one
    #[arg(long, env = "HOST_PORT", default_value_t = 8082)]
    pub host_port: u16,
    /// Give people this address of the voting page, such as http://192.168.1.20:8080. Unset: this machine's address on its network
    #[arg(long, env = "PUBLIC_URL", value_parser = page_address)]
    pub public_url: Option<Url>,
    /// The same as PUBLIC_URL, by the name that it has for the dashboard
    #[arg(long, env = "VOTE_URL", value_parser = page_address)]
    pub vote_url: Option<Url>,
    /// Give people this address of the results page. Unset: the host of PUBLIC_URL, or this machine's address on its network
    #[arg(long, env = "RESULTS_URL", value_parser = page_address)]
    pub results_url: Option<Url>,
    /// Serve metrics and health checks on this port of 127.0.0.1 and the next ones: producer, dashboard, consumers, host, canary.
    /// Unset: 9080 and the next ones, or free ones where those are taken
    #[arg(long, env = "METRICS_PORT", value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub metrics_port: Option<u16>,
    /// Keep all data, secrets and logs in this folder
    #[arg(long, env = "DATA_DIR", default_value = ".data")]
    pub data_dir: PathBuf,
    /// Label the first option of the default poll
    #[arg(long, env = "OPTION_A", default_value = "Cats", value_parser = label)]
    pub option_a: String,
    /// Label the second option of the default poll
    #[arg(long, env = "OPTION_B", default_value = "Dogs", value_parser = label)]
    pub option_b: String,
    /// Show this poll at the addresses of the pages, and create it with the two options if there is none. Unset: a poll named
    /// after the two options
    #[arg(long, env = "DEFAULT_POLL", value_parser = slug)]
    pub default_poll: Option<String>,
    /// Start this many consumer processes
    #[arg(long, env = "CONSUMERS", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub consumers: u16,
    /// Divide the stream into this many partitions; fixed by the first start. Unset: the default of `votectl migrate`
    #[arg(long, env = "PARTITIONS")]
    pub partitions: Option<u16>,
    /// Run this program as Redis: redis-server 7.0 or newer, or valkey-server. Unset: the one that is installed
    #[arg(long, env = "REDIS_SERVER")]
    pub redis_server: Option<PathBuf>,
    /// Run Redis as a cluster of three masters and three replicas; fixed by the first start
    #[arg(long, env = "CLUSTER", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new())]
    pub cluster: bool,
    /// Start a canary, and Prometheus, Alertmanager and Grafana where they are installed
    #[arg(long, env = "OBSERVE", default_value = "false", num_args = 0..=1,
          default_missing_value = "true", action = clap::ArgAction::Set,
          value_parser = clap::builder::BoolishValueParser::new())]
    pub observe: bool,
    /// Serve Prometheus on this port of 127.0.0.1; 0 for any free one
    #[arg(long, env = "PROMETHEUS_PORT", default_value_t = 9090)]
    pub prometheus_port: u16,
    /// Serve Alertmanager on this port of 127.0.0.1; 0 for any free one
    #[arg(long, env = "ALERTMANAGER_PORT", default_value_t = 9093)]
    pub alertmanager_port: u16,
    /// Serve Grafana on this port of 127.0.0.1; 0 for any free one
    #[arg(long, env = "GRAFANA_PORT", default_value_t = 3000)]
    pub grafana_port: u16,
    /// Read alert rules, dashboards and provisioning from this folder
    #[arg(long, env = "GRAFANA_DIR", default_value = "grafana")]
    pub grafana_dir: PathBuf,
    /// Log at this level, or with this filter of tracing, in all services
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
}

/// The ports of the pipeline. Each was free when it was chosen.
#[derive(Debug, Clone)]
pub(super) struct Ports {
    pub(super) vote: u16,
    pub(super) results: u16,
    pub(super) host: u16,
    pub(super) producer_metrics: u16,
    pub(super) dashboard_metrics: u16,
    pub(super) consumer_metrics: Vec<u16>,
    pub(super) host_metrics: u16,
    /// `None` without `OBSERVE`.
    pub(super) canary_metrics: Option<u16>,
    /// `None` without `OBSERVE`.
    pub(super) observers: Option<ObserverPorts>,
}

/// The ports of the programs that watch the pipeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObserverPorts {
    pub(super) prometheus: u16,
    pub(super) alertmanager: u16,
    pub(super) grafana: u16,
}

impl Config {
    /// Chooses all ports, before any process is started.
    ///
    /// # Errors
    /// Returns an error if a port that was set is taken, cannot be opened, or is set twice.
    pub(super) fn ports(&self) -> Result<Ports, Error> {
        let vote = chosen(self.vote_port, "VOTE_PORT")?;
        let results = chosen(self.results_port, "RESULTS_PORT")?;
        if vote == results {
            let (one, other) = ("VOTE_PORT", "RESULTS_PORT");
            return Err(Error::PortTwice { port: vote, one, other });
        }
        let host = chosen(self.host_port, "HOST_PORT")?;
        let taken = [(vote, "VOTE_PORT"), (results, "RESULTS_PORT"), (host, "HOST_PORT")];
        if let Some((port, one)) = taken[..2].iter().copied().find(|(port, _)| *port == host) {
            return Err(Error::PortTwice { port, one, other: "HOST_PORT" });
        }
        let base = self.metrics_port.unwrap_or(METRICS_PORT);
        let mut metrics = Vec::new();
        for port in base..=base + 2 + self.consumers + u16::from(self.observe) {
            let clash = taken.into_iter().find(|(other, _)| *other == port);
            match (self.metrics_port, clash) {
                (Some(_), Some((_, one))) => {
                    return Err(Error::PortTwice { port, one, other: "METRICS_PORT" });
                }
                (Some(_), None) => metrics.push(chosen(port, "METRICS_PORT")?),
                (None, None) if is_free(port) => metrics.push(port),
                (None, _) => metrics.push(free_port()),
            }
        }
        let observers = match self.observe {
            true => Some(ObserverPorts {
                prometheus: chosen(self.prometheus_port, "PROMETHEUS_PORT")?,
                alertmanager: chosen(self.alertmanager_port, "ALERTMANAGER_PORT")?,
                grafana: chosen(self.grafana_port, "GRAFANA_PORT")?,
            }),
            false => None,
        };
        let canary_metrics = if self.observe { metrics.pop() } else { None };
        let host_metrics = metrics.pop().unwrap_or_else(free_port);
        Ok(Ports {
            observers,
            host,
            host_metrics,
            canary_metrics,
            vote,
            results,
            producer_metrics: metrics[0],
            dashboard_metrics: metrics[1],
            consumer_metrics: metrics.split_off(2),
        })
    }
}

/// Returns the port that was set, if it is free, or any free one for 0.
fn chosen(port: u16, setting: &'static str) -> Result<u16, Error> {
    if port == 0 {
        return Ok(free_port());
    }
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => Ok(port),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Error::PortTaken { port, setting })
        }
        Err(source) => Err(Error::PortRefused { port, setting, source }),
    }
}

/// Reads the address of a page: http or https, a host, perhaps a port, and perhaps the path that a proxy puts in front of
/// all addresses. The address that is returned ends with a slash.
///
/// # Errors
/// Returns which part of it is wrong.
fn page_address(text: &str) -> Result<Url, InvalidAddress> {
    let mut url = Url::parse(text).map_err(|_| InvalidAddress::NotAnAddress)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(InvalidAddress::NotAnAddress);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidAddress::HasMore);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if path.contains("//") || !path.bytes().all(is_plain) {
        return Err(InvalidAddress::OddPath);
    }
    url.set_path(&format!("{path}/"));
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidAddress::HasALogin);
    }
    Ok(url)
}

/// Parses the name of a poll in addresses.
fn slug(text: &str) -> Result<String, NoSlug> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_slug = (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_slug { Ok(text.to_owned()) } else { Err(NoSlug) }
}

/// Parses the label of an option.
fn label(text: &str) -> Result<String, EmptyLabel> {
    let text = text.trim();
    if text.is_empty() { Err(EmptyLabel) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Config {
        Config::parse_from(
            [&["standalone", "--vote-port=0", "--results-port=0", "--host-port=0"], arguments]
                .concat(),
        )
    }

    #[test]
    fn taken_port_that_was_asked_for_is_an_error() {
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, free_port())).unwrap();
        let port = taken.local_addr().unwrap().port();
        let config = Config { vote_port: port, ..config(&[]) };
        let error = config.ports().unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("VOTE_PORT"), "{error}");
    }

    #[test]
    fn what_is_no_address_of_a_page_is_refused() {
        for wrong in ["vote.example", "ftp://vote.example", "http://", "http://vote.example/?show"]
        {
            page_address(wrong).unwrap_err();
        }
        for wrong in ["http://user@vote.example", "http://vote.example/a b", "http://v.example//a"]
        {
            page_address(wrong).unwrap_err();
        }
        let below = ["https://vote.example/show", "https://vote.example/show/"];
        for address in below {
            assert_eq!(page_address(address).unwrap().as_str(), below[1]);
        }
        assert_eq!(page_address("https://vote.example:8443").unwrap().port(), Some(8443));
    }

    #[test]
    fn a_default_poll_is_named_as_polls_are() {
        for wrong in ["Lunch!", "-lunch", "lunch-", "", "Lunch"] {
            assert!(slug(wrong).is_err(), "{wrong}");
        }
        assert_eq!(slug("lunch-2").unwrap(), "lunch-2");
    }

    #[test]
    fn one_port_cannot_serve_both_pages() {
        let port = free_port();
        let config = Config { vote_port: port, results_port: port, ..config(&[]) };
        assert!(matches!(config.ports(), Err(Error::PortTwice { .. })));
    }

    #[test]
    fn every_consumer_has_a_metrics_port_of_its_own() {
        let ports = config(&["--consumers=3"]).ports().unwrap();
        let mut all = ports.consumer_metrics;
        all.extend([ports.vote, ports.results, ports.host, ports.host_metrics]);
        all.extend([ports.producer_metrics, ports.dashboard_metrics]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 9);
    }
}
