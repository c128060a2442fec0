//! `votectl poll set`.

use std::str::FromStr;

use votestream_schema::poll::network_limit::{InvalidLimit, NetworkLimit};
use votestream_schema::poll::translations::LanguageTag;
use votestream_schema::poll::{Invalid, Visibility};
use votestream_schema::{Slug, ids};
use votestream_votectl::Servers;
use votestream_votectl::operations::polls::{self, Changes};

use super::state::{listing_in_words, network_limit_in_words};
use crate::cli_error::CliError;
use crate::output::Output;

const EXAMPLES: &str = "Examples:
  votectl poll set cats-vs-dogs --title 'Cats or dogs?'
  votectl poll set cats-vs-dogs --label cats='Cats, of course' --label dogs=Dogs
  votectl poll set cats-vs-dogs --in de --title 'Katzen oder Hunde?' --label cats=Katzen --label dogs=Hunde
  votectl poll set cats-vs-dogs --lang en
  votectl poll set cats-vs-dogs --visibility admin
  votectl poll set cats-vs-dogs --network-limit 5000/600
  votectl poll set cats-vs-dogs --unlisted

Until the poll is archived you can correct its title and labels, and change who sees the results and whether lists name
it. With `--in LANG`, title and labels are those in a further language, and an empty one removes it; add these only when every
replica has this release. The network limit can be changed until the poll closes. Pages show the new value within two seconds; `votectl poll
show` lists the old one.

5000/600 lets one address bring 5,000 new voters at once, and 600 more in each minute after that. An IPv4
address counts alone; its /24 may bring four times as many. An IPv6 /64 counts as one address; its /56 may bring
twice as many, and its /48 four times. Whoever has voted is never refused. A poll with voting codes needs no limit.

Slug, options, choices, policies and secrecy never change, because ballots have been cast under them. A poll that has never
opened can be rewritten with `votectl poll create --update`. Times have commands of their own: open, extend, close
and cancel.";

/// Change what may change in a poll: title, labels and their languages, visibility, network limit, whether lists name it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["title", "labels", "lang", "visibility", "network_limit", "listed", "unlisted"]))]
pub struct Args {
    /// The poll's slug
    slug: Slug,
    /// The question, corrected
    #[arg(long)]
    title: Option<String>,
    /// The text of an option, corrected; may be repeated
    #[arg(long = "label", value_name = "SLUG=LABEL", value_parser = label)]
    labels: Vec<(Slug, String)>,
    /// Take `--title` and `--label` as texts in this further language
    #[arg(long = "in", value_name = "LANG")]
    language: Option<LanguageTag>,
    /// The language in which the poll is written, which its pages have; `none` if they shall follow the reader's browser
    #[arg(long, value_name = "LANG")]
    lang: Option<LanguageOrNone>,
    /// Who sees the result: always (everybody), after_close (then everybody), after_vote (whoever has voted, and everybody
    /// after the close), admin (only votectl)
    #[arg(long)]
    visibility: Option<Visibility>,
    /// How many new voters one address may bring: AT_ONCE/PER_MINUTE, `off`, or `default` for the producers' setting
    #[arg(long, value_name = "LIMIT")]
    network_limit: Option<LimitOrDefault>,
    /// Name the poll in lists of polls
    #[arg(long, conflicts_with = "unlisted")]
    listed: bool,
    /// Leave the poll out of all lists of polls; whoever knows its address sees it
    #[arg(long)]
    unlisted: bool,
    #[command(flatten)]
    fixed: Fixed,
}

/// What never changes, and what has a command of its own. Whoever tries is told so.
#[derive(clap::Args)]
struct Fixed {
    #[arg(long = "slug", hide = true, value_parser = never)]
    new_slug: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    option: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    choices_min: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    choices_max: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    vote_policy: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    voter_policy: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", value_parser = never)]
    shuffle: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", value_parser = never)]
    secret: Option<String>,
    #[arg(long, hide = true, value_parser = never)]
    keep_votes_days: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere)]
    opens_at: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere)]
    closes_at: Option<String>,
}

/// Why an argument cannot be taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "this never changes, because ballots have been cast under it; \
         `votectl poll create --update` rewrites a poll that has never opened"
    )]
    NeverChanges,
    #[error(
        "times have commands of their own: `votectl poll open`, `extend`, `close` and `cancel`"
    )]
    IsTime,
    #[error("write SLUG=LABEL, such as cats='Cats'")]
    NoLabel,
    #[error(transparent)]
    NoSlug(#[from] ids::Error),
}

fn never(_: &str) -> Result<String, Refused> {
    Err(Refused::NeverChanges)
}

fn elsewhere(_: &str) -> Result<String, Refused> {
    Err(Refused::IsTime)
}

fn label(text: &str) -> Result<(Slug, String), Refused> {
    let (slug, label) = text.split_once('=').ok_or(Refused::NoLabel)?;
    Ok((slug.parse()?, label.to_owned()))
}

/// A limit, or none of the poll's own.
#[derive(Clone, Copy, Debug)]
struct LimitOrDefault(Option<NetworkLimit>);

impl FromStr for LimitOrDefault {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if text == "default" { Ok(Self(None)) } else { text.parse().map(|limit| Self(Some(limit))) }
    }
}

/// A language, or none.
#[derive(Clone, Debug)]
struct LanguageOrNone(Option<LanguageTag>);

impl FromStr for LanguageOrNone {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|lang| Self(Some(lang))) }
    }
}

/// Runs the command.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), CliError> {
    let changes = Changes {
        title: args.title.clone(),
        labels: args.labels.clone(),
        language: args.language.clone(),
        lang: args.lang.clone().map(|lang| lang.0),
        visibility: args.visibility,
        network_limit: args.network_limit.map(|limit| limit.0),
        listed: (args.listed || args.unlisted).then_some(args.listed),
    };
    let now = polls::set(servers, &args.slug, &changes).await?;
    output.print(&now, || {
        let poll = &now.poll;
        let mut lines = vec![format!("poll `{}`: {}", poll.slug, poll.title)];
        if let (Some(language), Some(title)) = (&args.language, &args.title) {
            lines.push(format!("title in {language}: {title}"));
        }
        if args.lang.is_some() {
            let lang = poll.lang.as_ref().map_or("as the reader's browser", LanguageTag::as_str);
            lines.push(format!("language: {lang}"));
        }
        for (slug, label) in &args.labels {
            lines.push(format!("{slug}: {label}"));
        }
        if args.visibility.is_some() {
            lines.push(format!("visibility: {}", poll.visibility));
        }
        if args.network_limit.is_some() {
            lines.push(network_limit_in_words(poll));
        }
        if args.listed || args.unlisted {
            lines.push(listing_in_words(poll).to_owned());
        }
        lines.join("\n")
    })
}
