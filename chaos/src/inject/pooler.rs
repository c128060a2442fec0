//! PgBouncer between services and Postgres, which is killed and started again.

use std::time::Duration;

use anyhow::Context as _;
use testkit::PgBouncer;
use testkit::proxy::{Mode, Proxy};

use super::cure::{Cure, Injection};
use crate::testbed::{Testbed, kind_of};

/// The time for which the services work through the first PgBouncer before it dies, and for which there is none then.
const FIRST_WORKS_FOR: Duration = Duration::from_millis(1_500);
const AWAY_FOR: Duration = Duration::from_millis(500);

/// Leads the services of a link through a PgBouncer in transaction mode, kills it, and starts another one.
pub(super) async fn interpose(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    if !PgBouncer::is_installed() {
        let why = "pgbouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer)";
        return Ok(Injection::Skipped(why.to_owned()));
    }
    let first = start(testbed, target)?;
    aim(testbed, target, first.port());
    testbed.pause(FIRST_WORKS_FOR).await?;
    drop(first);
    testbed.pause(AWAY_FOR).await?;
    let second = start(testbed, target)?;
    aim(testbed, target, second.port());
    Injection::by(Cure::NoPooler(target, Box::new(second)))
}

/// Leads the services of a link to Postgres again.
pub(super) fn remove(testbed: &Testbed, target: &str, pooler: PgBouncer) {
    aim(testbed, target, testbed.postgres.port());
    drop(pooler);
}

fn start(testbed: &mut Testbed, target: &str) -> anyhow::Result<PgBouncer> {
    let (clients, _) = target.split_once(" > ").context("the target is a link")?;
    let service = kind_of(testbed.services_of(clients)?[0].name);
    testbed.servers_made += 1;
    let name = format!("pgbouncer-{}", testbed.servers_made);
    let folder = testbed.folder.path().join(name);
    std::fs::create_dir(&folder)?;
    let url = testbed.role_url(service);
    Ok(tokio::task::block_in_place(|| PgBouncer::start_in(&folder, &url, "transaction", &[])))
}

/// Ends the connections of a link, and lets new ones lead to this port.
fn aim(testbed: &Testbed, target: &str, port: u16) {
    let links: Vec<&Proxy> = testbed.link(target);
    for link in links {
        link.aim(port);
        link.set(Mode::Reset);
        link.set(Mode::Pass);
    }
}
