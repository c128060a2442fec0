//! `votectl poll create`.

use std::path::{Path, PathBuf};

use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::poll::translations::{LanguageTag, Translations};
use votestream_schema::poll::{Definition, Invalid, Visibility, VotePolicy, VoterPolicy, now_ms};
use votestream_schema::{Slug, poll_file};
use votestream_votectl::operations::polls::{self, IfExists};
use votestream_votectl::{Moment, Servers, option_argument};

use super::state::{state_in_words, warn_of_late};
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = r#"Examples:
  votectl poll create --slug cats-vs-dogs --title "Cats vs Dogs" --option cats=Cats --option dogs=Dogs --open
  votectl poll create --slug lunch --title Lunch? --option Pizza --option Sushi --open --closes-at +2h
  votectl poll create --file poll.toml

A poll.toml (title, slug and options are needed, the rest as shown is the default):
  slug = "lunch"
  title = "Lunch?"
  lang = "en"                   # the language of these texts and of the pages; default: pages follow the reader's browser
  titles = { de = "Mittagessen?" }      # the title in further languages; default: none
  choices_min = 1               # 0: a ballot may choose nothing, and counts as turnout
  choices_max = 1
  shuffle = false               # true: each voter sees the options in an order of their own
  vote_policy = "keep_first"    # or "replace"
  voter_policy = "open"         # or "code"
  visibility = "always"         # or "after_close", "after_vote", "admin"
  secret = false                # true: archiving the poll also seals it
  receipts = true               # false: voters get no receipts, and there is no public log
  keep_votes_days = 30          # default: votes are kept
  network_limit = "2000/600"    # or "off"; default: as the producers are set up
  listed = true                 # default: true unless voter_policy = "code"
  opens_at = "2026-03-01T12:00:00Z"     # default: a draft
  closes_at = "2026-03-01T13:00:00Z"    # default: closed by hand
  [[options]]
  slug = "pizza"
  label = "Pizza"
  labels = { uk = "Піца" }      # the label in further languages; default: none
  description = "Two to share" # default: none
  colour = "\#e4572e"          # default: none
  [[options]]
  slug = "sushi"
  label = "Sushi""#;

/// Create a poll
#[derive(clap::Args)]
#[command(after_help = EXAMPLES.replace("\\#", "#"))]
pub struct Args {
    /// Read the whole definition from this TOML file; only the times can be given beside it
    #[arg(long, conflicts_with_all = ["slug", "title", "options", "choices_min", "choices_max", "shuffle",
                                      "vote_policy", "voter_policy", "visibility", "secret",
                                      "keep_votes_days", "network_limit", "listed", "unlisted", "no_receipts",
                                      "lang"])]
    file: Option<PathBuf>,
    /// The poll's name in URLs: a-z, 0-9 and inner hyphens
    #[arg(long, required_unless_present = "file")]
    slug: Option<Slug>,
    /// The question
    #[arg(long, required_unless_present = "file")]
    title: Option<String>,
    /// The language of title and labels, as a tag such as de or ar: that of the poll's pages, unless their address names another one
    /// (`?lang=`). Without it pages follow the reader's browser. Texts in several languages: see the file
    #[arg(long)]
    lang: Option<LanguageTag>,
    /// An answer, 2 to 63 times, in the order shown: LABEL, or SLUG=LABEL. A label makes its own slug, with a number at its end
    /// where another option has that slug already
    #[arg(long = "option", value_name = "SLUG=LABEL", required_unless_present = "file")]
    options: Vec<String>,
    /// How many options a ballot chooses at least. With 0 it may choose none, which counts as turnout; every consumer must have this
    /// release then
    #[arg(long, default_value_t = 1)]
    choices_min: u8,
    /// How many options a ballot chooses at most
    #[arg(long, default_value_t = 1)]
    choices_max: u8,
    /// Show each voter the options in an order of their own
    #[arg(long)]
    shuffle: bool,
    /// Refuse a voter's second ballot (keep_first), or let it replace the first one (replace)
    #[arg(long, default_value_t = VotePolicy::KeepFirst)]
    vote_policy: VotePolicy,
    /// Who may vote: open (anyone, once), or code (holders of a voting code)
    #[arg(long, default_value_t = VoterPolicy::Open)]
    voter_policy: VoterPolicy,
    /// Who sees the result: always (everybody), after_close (then everybody), after_vote (whoever has voted, and everybody
    /// after the close), admin (only votectl)
    #[arg(long, default_value_t = Visibility::Always)]
    visibility: Visibility,
    /// Seal the poll when it is archived: from then on nobody can find out who chose what
    #[arg(long)]
    secret: bool,
    /// Keep the votes for this many days after the closing time; then `votectl forget` deletes them and keeps the results
    #[arg(long, value_name = "DAYS")]
    keep_votes_days: Option<u16>,
    /// How many new voters one address may bring: AT_ONCE/PER_MINUTE, as 2000/600, or `off`; as the producers are set up
    /// when absent
    #[arg(long, value_name = "LIMIT")]
    network_limit: Option<NetworkLimit>,
    /// Name the poll in lists of polls, although its voters need codes
    #[arg(long, conflicts_with = "unlisted")]
    listed: bool,
    /// Leave the poll out of all lists of polls; whoever knows its address sees it
    #[arg(long)]
    unlisted: bool,
    /// Give voters no receipts, and keep no public log. A secret poll has neither anyway
    #[arg(long)]
    no_receipts: bool,
    /// When it opens by itself: `now`, `+10m`, `+2h`, RFC 3339, or "2026-03-01 20:00 Europe/Berlin"; a draft when absent
    #[arg(long, value_name = "TIME")]
    opens_at: Option<Moment>,
    /// When it closes by itself; by hand when absent
    #[arg(long, value_name = "TIME")]
    closes_at: Option<Moment>,
    /// Open it now
    #[arg(long, conflicts_with = "opens_at")]
    open: bool,
    /// Leave a poll of this slug as it is, should there be one
    #[arg(long, conflicts_with = "update")]
    if_missing: bool,
    /// Rewrite a poll of this slug, should there be one that has never opened
    #[arg(long)]
    update: bool,
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let definition = definition(args, now_ms())?;
    let if_exists = match (args.if_missing, args.update) {
        (true, _) => IfExists::Keep,
        (false, true) => IfExists::Update,
        (false, false) => IfExists::Fail,
    };
    let created = polls::create(servers, &definition, if_exists).await?;
    warn_of_late(created.producers.as_ref());
    output.print(&created, || {
        let outcome = match created.outcome {
            "kept" => "exists already; left as it is",
            other => other,
        };
        let state = state_in_words(&created.poll, created.state);
        format!("poll `{}` {outcome}: {state}", created.poll.slug)
    })
}

fn definition(args: &Args, now_ms: i64) -> Result<Definition, CliError> {
    let mut definition = match &args.file {
        Some(path) => read(path)?,
        None => Definition {
            slug: args.slug.clone().ok_or(CliError::Refused("--slug is missing"))?,
            title: args.title.clone().unwrap_or_default(),
            titles: Translations::default(),
            lang: args.lang.clone(),
            options: option_argument::options(&args.options),
            choices_min: args.choices_min,
            choices_max: args.choices_max,
            shuffle: args.shuffle,
            vote_policy: args.vote_policy,
            voter_policy: args.voter_policy,
            visibility: args.visibility,
            secret: args.secret,
            keep_votes_days: args.keep_votes_days,
            network_limit: args.network_limit,
            listed: if args.listed || args.unlisted { Some(args.listed) } else { None },
            receipts: args.no_receipts.then_some(false),
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

fn read(path: &Path) -> Result<Definition, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| CliError::File { path: shown.to_string(), error })?;
    Ok(poll_file::read(&text).map_err(|error| Invalid(format!("{shown} {error}")))?)
}
