//! Links that are cut, slow, reset or dead without a word.

use std::time::Duration;

use super::{Cure, Struck};
use crate::fault::Fault;
use crate::site::Site;
use testkit::proxy::{Mode, Proxy};

/// How late every piece is, in each direction.
const LATE: Duration = Duration::from_millis(100);

pub(super) fn disturb(
    site: &mut Site,
    fault: Fault,
    target: &'static str,
) -> anyhow::Result<Struck> {
    let links: Vec<&Proxy> = site.link(target);
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
    Struck::by(Cure::Pass(target))
}

pub(super) fn pass(site: &Site, target: &str) {
    site.link(target).into_iter().for_each(|link| link.set(Mode::Pass));
}
