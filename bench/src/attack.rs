//! Measures how long honest clients wait while attackers hold as many connections as they can.
//!
//! The services have the memory that `k8s/base` gives them. Attackers and services share the machine, so the figure is
//! worse than that of a service with cores of its own.

use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::attack::{Honest, PROXY, Served, Wave, attack};

use crate::args::Args;
use crate::lab::{Lab, POLL};
use crate::report::Report;

/// Connections of one wave; most of the 15,000 slots of a service.
const WAVE: usize = 11_000;
/// The aim for the 99th percentile, in milliseconds.
const P99_MS_MAX: f64 = 500.0;
/// The memory of the containers in `k8s/base`.
const PRODUCER_BYTES: usize = 512 << 20;
const DASHBOARD_BYTES: usize = 256 << 20;

/// Measures voters and viewers.
///
/// # Errors
/// Returns an error if a server does not start.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    let body = "{\"choices\":[\"cats\"]}";
    let ballot = format!(
        "POST /api/polls/{POLL}/ballots HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let tally =
        format!("GET /api/polls/{POLL}/tally HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let (mut voters, mut viewers) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("attack: round {round} of {}", args.rounds);
        let served = attacked("producer", PRODUCER_BYTES, ballot.clone(), "202 Accepted").await?;
        voters.push(milliseconds("voters", &served));
        let served = attacked("dashboard", DASHBOARD_BYTES, tally.clone(), "200 OK").await?;
        viewers.push(milliseconds("viewers", &served));
    }
    let name = |who| format!("honest {who}' 99th percentile while {WAVE} connections attack, ms");
    report.at_most(&name("voters"), P99_MS_MAX, &voters);
    report.at_most(&name("viewers"), P99_MS_MAX, &viewers);
    Ok(())
}

/// Starts a service with so much memory, sends all waves against it, and returns how honest clients were served.
async fn attacked(
    service: &str,
    memory_bytes: usize,
    request: String,
    words: &'static str,
) -> anyhow::Result<Served> {
    let mut lab = Lab::open().await?;
    let (memory, proxy) = (memory_bytes.to_string(), format!("{PROXY}/32"));
    let settings = [("MEMORY_BYTES_MAX", memory.as_str()), ("TRUSTED_PROXIES", proxy.as_str())];
    let port = lab.start_with(service, &settings).await?.port;
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let honest = Honest::start(to, request, words);
    for wave in Wave::ALL {
        attack(wave, WAVE, to).await;
    }
    Ok(honest.stop())
}

fn milliseconds(who: &str, served: &Served) -> f64 {
    let (count, repeated, longest) = (served.waits.len(), served.repeated, served.longest());
    let p99 = served.p99();
    eprintln!("  {count} {who}: p99 {p99:?}, longest {longest:?}, {repeated} repeated");
    p99.as_secs_f64() * 1_000.0
}
