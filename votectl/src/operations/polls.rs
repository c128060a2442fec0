//! Polls: create, open, change, extend, close, cancel, archive, seal, erase, list, show and export them, and list their networks.

mod archive;
mod cancel;
mod close;
mod create;
mod erase;
mod export;
mod extend;
mod list;
mod networks;
mod open;
mod publish;
mod seal;
mod served;
mod set;
mod settled;
mod show;
mod stored;
mod voter_keys;

pub use archive::archive;
pub use cancel::cancel;
pub use close::{Closed, close};
pub use create::{Created, IfExists, create};
pub use erase::{Due, Erased, erase};
pub use export::{Export, ExportedVote, Snapshot};
pub use extend::{Extension, extend};
pub use list::{Listed, PollList, list};
pub use networks::{BusyNetwork, BusyNetworks, networks};
pub use open::{Opened, open};
pub(crate) use publish::publish;
pub use seal::seal;
pub use served::Served;
pub use set::{set_listed, set_network_limit};
pub use show::{OptionResult, PollWithResults, Results, show};
pub use stored::PollNow;
pub(crate) use stored::{find, find_with_secret};
pub use voter_keys::voter_keys;
