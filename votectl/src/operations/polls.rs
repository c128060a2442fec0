//! Polls: create, open, close, archive, list, show and export them.

mod archive;
mod close;
mod create;
mod export;
mod list;
mod open;
mod publish;
mod served;
mod show;
mod stored;

pub use archive::archive;
pub use close::{Closed, close};
pub use create::{Created, IfExists, create};
pub use export::{Export, ExportedVote, Snapshot};
pub use list::{Listed, PollList, list};
pub use open::{Opened, open};
pub(crate) use publish::publish;
pub use served::Served;
pub use show::{OptionResult, PollWithResults, Results, show};
pub use stored::PollNow;
pub(crate) use stored::find;
