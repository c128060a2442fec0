//! Links between services and servers that are cut, slow, reset or half open.

use std::time::Duration;

use super::cure::{Cure, Injection};
use crate::fault::Fault;
use crate::testbed::Testbed;
use testkit::proxy::{Mode, Proxy};

/// The delay of all bytes in each direction.
const LATE: Duration = Duration::from_millis(100);

/// Disturbs the links of a target.
pub(super) fn disturb(
    testbed: &mut Testbed,
    fault: Fault,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let links: Vec<&Proxy> = testbed.link(target);
    anyhow::ensure!(!links.is_empty(), "there is no link `{target}`");
    for link in links {
        match fault {
            Fault::NetCut => link.set(Mode::Cut),
            Fault::NetCutTo => link.set(Mode::CutTo),
            Fault::NetCutFrom => link.set(Mode::CutFrom),
            Fault::NetDelay => link.set(Mode::Delay(LATE)),
            Fault::NetReset => link.set(Mode::Reset),
            _ => link.half_open(),
        }
    }
    Injection::by(Cure::Pass(target))
}

/// Lets all bytes pass on the links of a target.
pub(super) fn pass(testbed: &Testbed, target: &str) {
    testbed.link(target).into_iter().for_each(|link| link.set(Mode::Pass));
}
