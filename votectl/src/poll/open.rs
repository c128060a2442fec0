//! `votectl poll open`.

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db};

use super::times::{Moment, moment};
use super::{TOO_CLOSE_MS, find_and_lock, publish::publish, state_in_words};
use crate::failure::Failure;
use crate::output::Output;
use crate::servers::Servers;

const EXAMPLES: &str = "Examples:
  votectl poll open cats-vs-dogs
  votectl poll open lunch --closes-at +2h
  votectl poll open finale --at 2026-03-01T20:00:00Z --closes-at 2026-03-01T20:15:00Z";

/// Opens a draft or a scheduled poll, now or at a time
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll
    slug: Slug,
    /// When it opens by itself: RFC 3339, `now`, `+10m`, `+2h`
    #[arg(long, value_name = "TIME", value_parser = moment, default_value = "now")]
    at: Moment,
    /// When it closes by itself; as it was set before when absent
    #[arg(long, value_name = "TIME", value_parser = moment)]
    closes_at: Option<Moment>,
}

#[derive(Serialize)]
struct Done {
    poll: Poll,
    state: PollState,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.transaction().await?;
    let poll = find_and_lock(&transaction, &args.slug).await?;
    let poll = opened(&poll, args, now_ms())?;
    db::polls::set_times(&transaction, &poll).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|failure| {
        failure
            .and("postgres has the opening already: the consumers will tell redis when it is back")
    })?;
    let done = Done { state: poll.state(now_ms()), poll };
    output.print(&done, || {
        format!("poll `{}` is {}", done.poll.slug, state_in_words(&done.poll, now_ms()))
    })
}

fn opened(poll: &Poll, args: &Args, now_ms: i64) -> Result<Poll, Failure> {
    let refuse = |why: String| Err(Failure::refused(format!("poll `{}` {why}", poll.slug)));
    match poll.state(now_ms) {
        PollState::Draft => {}
        PollState::Scheduled if poll.state(now_ms + TOO_CLOSE_MS) == PollState::Scheduled => {}
        PollState::Scheduled => return refuse("opens by itself within seconds".into()),
        PollState::Open => {
            return refuse(
                "is open already; `votectl poll close SLUG --at TIME` sets its end".into(),
            );
        }
        state => return refuse(format!("is {state}, for good; create another one")),
    }
    let opens_at_ms = args.at.ms(now_ms);
    if opens_at_ms < now_ms {
        return refuse("cannot open in the past: choose a later --at".into());
    }
    let closes_at_ms = args.closes_at.map(|at| at.ms(now_ms)).or(poll.closes_at_ms);
    if closes_at_ms.is_some_and(|closes_at_ms| closes_at_ms <= opens_at_ms) {
        return refuse("would close before it opens: choose a later --closes-at".into());
    }
    Ok(Poll {
        opens_at_ms: Some(opens_at_ms),
        closes_at_ms,
        revision: poll.revision + 1,
        ..poll.clone()
    })
}
