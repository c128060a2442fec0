//! `votectl poll create`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use votestream_schema::poll::{Definition, Invalid, Visibility, VotePolicy, VoterPolicy, now_ms};
use votestream_schema::{Poll, PollOption, PollState, Slug, db, poll_file};

use super::times::{Moment, moment};
use super::{TOO_CLOSE_MS, find_and_lock, publish::publish, state_in_words};
use crate::failure::Failure;
use crate::output::Output;
use crate::servers::Servers;

const EXAMPLES: &str = r#"Examples:
  votectl poll create --slug cats-vs-dogs --title "Cats vs Dogs" --option cats=Cats --option dogs=Dogs --open
  votectl poll create --slug lunch --title Lunch? --option Pizza --option Sushi --open --closes-at +2h
  votectl poll create --file poll.toml

A poll.toml (title, slug and options are needed, the rest as shown is the default):
  slug = "lunch"
  title = "Lunch?"
  choices_min = 1
  choices_max = 1
  vote_policy = "keep_first"    # or "replace"
  voter_policy = "open"         # or "code"
  visibility = "always"         # or "after_close", "admin"
  opens_at = "2026-03-01T12:00:00Z"     # default: a draft
  closes_at = "2026-03-01T13:00:00Z"    # default: closed by hand
  [[options]]
  slug = "pizza"
  label = "Pizza"
  description = "Two to share" # default: none
  colour = "\#e4572e"          # default: none
  [[options]]
  slug = "sushi"
  label = "Sushi""#;

/// Creates a poll
#[derive(clap::Args)]
#[command(after_help = EXAMPLES.replace("\\#", "#"))]
pub struct Args {
    /// The whole definition as TOML; only the times can be given beside it
    #[arg(long, conflicts_with_all = ["slug", "title", "options", "choices_min", "choices_max",
                                      "vote_policy", "voter_policy", "visibility"])]
    file: Option<PathBuf>,
    /// Its name in URLs: a-z, 0-9 and inner hyphens
    #[arg(long, required_unless_present = "file")]
    slug: Option<Slug>,
    /// The question
    #[arg(long, required_unless_present = "file")]
    title: Option<String>,
    /// An answer, 2 to 63 times, in the order shown; a bare label makes its own slug
    #[arg(long = "option", value_name = "SLUG=LABEL", value_parser = option,
          required_unless_present = "file")]
    options: Vec<PollOption>,
    /// How many options a ballot chooses at least
    #[arg(long, default_value_t = 1)]
    choices_min: u8,
    /// How many options a ballot chooses at most
    #[arg(long, default_value_t = 1)]
    choices_max: u8,
    /// A voter's second ballot: keep_first refuses it, replace lets it stand
    #[arg(long, default_value_t = VotePolicy::KeepFirst, value_parser = word::<VotePolicy>)]
    vote_policy: VotePolicy,
    /// Who may vote: open (anyone, once), or code (holders of a voting code)
    #[arg(long, default_value_t = VoterPolicy::Open, value_parser = word::<VoterPolicy>)]
    voter_policy: VoterPolicy,
    /// Who sees the result: always (everybody), after_close (then everybody), admin (only votectl)
    #[arg(long, default_value_t = Visibility::Always, value_parser = word::<Visibility>)]
    visibility: Visibility,
    /// When it opens by itself: RFC 3339, `now`, `+10m`, `+2h`; a draft when absent
    #[arg(long, value_name = "TIME", value_parser = moment)]
    opens_at: Option<Moment>,
    /// When it closes by itself; by hand when absent
    #[arg(long, value_name = "TIME", value_parser = moment)]
    closes_at: Option<Moment>,
    /// Opens now
    #[arg(long, conflicts_with = "opens_at")]
    open: bool,
    /// Leave a poll of this slug as it is, should there be one
    #[arg(long, conflicts_with = "update")]
    if_missing: bool,
    /// Rewrite a poll of this slug, should there be one that has never opened
    #[arg(long)]
    update: bool,
}

#[derive(Serialize)]
struct Done {
    outcome: &'static str,
    poll: Poll,
    state: PollState,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let definition = definition(args, now_ms())?;
    let (mut postgres, mut redis) = servers.both().await?;
    let (poll, outcome) = write(&mut postgres, args, &definition).await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|failure| {
        failure.and("postgres has the poll already: the consumers will tell redis when it is back")
    })?;
    let state = poll.state(now_ms());
    let done = Done { outcome, poll, state };
    output.print(&done, || {
        let what = match done.outcome {
            "kept" => "exists already; left as it is",
            other => other,
        };
        format!("poll `{}` {what}: {}", done.poll.slug, state_in_words(&done.poll, now_ms()))
    })
}

async fn write(
    postgres: &mut tokio_postgres::Client,
    args: &Args,
    definition: &Definition,
) -> Result<(Poll, &'static str), Failure> {
    let transaction = postgres.transaction().await?;
    let slug = &definition.slug;
    let outcome = match db::polls::lock(&transaction, slug).await? {
        Some(poll) if args.if_missing => return Ok((poll, "kept")),
        Some(poll) if args.update => {
            check_never_opened(&poll)?;
            db::polls::update(&transaction, definition).await?;
            "updated"
        }
        _ => match db::polls::create(&transaction, definition).await {
            // Somebody was faster, after we had looked.
            Err(db::Error::SlugTaken(_)) if args.if_missing => {
                drop(transaction);
                return Ok((super::find(postgres, slug).await?, "kept"));
            }
            created => created.map(|_| "created")?,
        },
    };
    let poll = find_and_lock(&transaction, slug).await?;
    transaction.commit().await?;
    Ok((poll, outcome))
}

/// A poll that might take a ballot while it is rewritten must not be.
fn check_never_opened(poll: &Poll) -> Result<(), Failure> {
    match poll.state(now_ms() + TOO_CLOSE_MS) {
        PollState::Draft | PollState::Scheduled => Ok(()),
        _ => Err(Failure::refused(format!(
            "poll `{}` is {}, or about to open: it can no longer be rewritten; create another one",
            poll.slug,
            poll.state(now_ms())
        ))),
    }
}

fn definition(args: &Args, now_ms: i64) -> Result<Definition, Failure> {
    let mut definition = match &args.file {
        Some(path) => read(path)?,
        None => Definition {
            slug: args.slug.clone().ok_or_else(|| Failure::refused("--slug is missing"))?,
            title: args.title.clone().unwrap_or_default(),
            options: args.options.clone(),
            choices_min: args.choices_min,
            choices_max: args.choices_max,
            vote_policy: args.vote_policy,
            voter_policy: args.voter_policy,
            visibility: args.visibility,
            opens_at: None,
            closes_at: None,
        },
    };
    let opens_at = if args.open { Some(Moment::InMs(0)) } else { args.opens_at };
    if let Some(opens_at) = opens_at {
        definition.opens_at = Some(opens_at.timestamp(now_ms)?);
    }
    if let Some(closes_at) = args.closes_at {
        definition.closes_at = Some(closes_at.timestamp(now_ms)?);
    }
    let validated = definition.validated();
    Ok(validated.map_err(|error| match &args.file {
        Some(path) => Invalid(format!("{}: {error}", path.display())),
        None => error,
    })?)
}

fn read(path: &Path) -> Result<Definition, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
    let read = poll_file::read(&text);
    read.map_err(|error| Failure::refused(format!("{} {error}", path.display())))
}

fn word<T: std::str::FromStr<Err = Invalid>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Invalid| error.0)
}

/// `slug=Label`, or a label from which the slug is made.
fn option(text: &str) -> Result<PollOption, String> {
    let (slug, label) = match text.split_once('=') {
        Some((slug, label)) => (slug.to_owned(), label),
        None => (slug_of(text), text),
    };
    if slug.is_empty() {
        return Err("no slug can be made of this label: write slug=Label".into());
    }
    let slug = slug.parse().map_err(|error: votestream_schema::ids::Error| error.to_string())?;
    Ok(PollOption { slug, label: label.to_owned(), description: None, colour: None })
}

/// Lower-case ASCII letters and digits of a label, with single hyphens between.
fn slug_of(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_a_slug_or_makes_one() {
        let check = |text: &str, slug: &str, label: &str| {
            let option = option(text).unwrap();
            assert_eq!((option.slug.as_str(), option.label.as_str()), (slug, label));
        };
        check("cats=Cats", "cats", "Cats");
        check("cats=a=b", "cats", "a=b");
        check("Two  Big Dogs!", "two-big-dogs", "Two  Big Dogs!");
        check(&"ab ".repeat(40), ("ab-".repeat(21)).trim_end_matches('-'), &"ab ".repeat(40));
        for bad in ["", "茶", "Cats=Cats", "=Cats"] {
            assert!(option(bad).is_err(), "{bad}");
        }
    }
}
