//! Lists polls.

use serde::Serialize;
use votestream_schema::db::UnreadablePoll;
use votestream_schema::poll::{Visibility, VoterPolicy, now_ms, rfc3339};
use votestream_schema::{Poll, PollState, Slug, db};

use crate::error::Error;
use crate::servers::Servers;

/// One poll in a list.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The poll's name in URLs.
    pub slug: Slug,
    /// The question.
    pub title: String,
    /// The state when the list was made.
    pub state: PollState,
    /// People counted.
    pub voters: i64,
    /// Who may vote.
    pub voter_policy: VoterPolicy,
    /// Who sees the tally, and when.
    pub visibility: Visibility,
    /// When it opens or opened, in RFC 3339; `None` for a draft.
    pub opens_at: Option<String>,
    /// When it closes or closed, in RFC 3339; `None` while no time is set.
    pub closes_at: Option<String>,
}

/// Polls by number, and those that this release cannot read.
#[derive(Debug)]
pub struct PollList {
    /// The polls that it can read.
    pub polls: Vec<Listed>,
    /// The rows that it cannot read.
    pub unreadable: Vec<UnreadablePoll>,
}

/// Lists the polls, those that are archived only with `archived_too`. Needs Postgres alone.
///
/// # Errors
/// Returns the error of Postgres.
pub async fn list(servers: &Servers, archived_too: bool) -> Result<PollList, Error> {
    let postgres = servers.postgres().await?;
    let now_ms = now_ms();
    let stored = db::polls::all(&postgres).await?;
    let mut polls = Vec::new();
    for poll in stored.readable {
        if archived_too || poll.state(now_ms) != PollState::Archived {
            let voters = db::results::tally(&postgres, poll.id).await?.voters;
            polls.push(listed(poll, voters, now_ms));
        }
    }
    Ok(PollList { polls, unreadable: stored.unreadable })
}

fn listed(poll: Poll, voters: i64, now_ms: i64) -> Listed {
    Listed {
        state: poll.state(now_ms),
        slug: poll.slug,
        title: poll.title,
        voters,
        voter_policy: poll.voter_policy,
        visibility: poll.visibility,
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
    }
}
