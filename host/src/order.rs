//! The tasks of an organiser, and the orders that they give with them.

use std::str::FromStr;

use jiff::Timestamp;
use votestream_schema::choices::OPTIONS_MAX;
use votestream_schema::poll::translations::Translations;
use votestream_schema::poll::{
    Definition, TITLE_CHARS_MAX, Visibility, VotePolicy, VoterPolicy, now_ms,
};
use votestream_schema::{Poll, PollState, Slug};
use votestream_service::language::Message;
use votestream_service::problem::Detail;
use votestream_votectl::operations::polls::Extension;
use votestream_votectl::{InvalidMoment, Moment, option_argument};

use crate::fields::Fields;
use crate::mistakes;

/// A task that changes a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Open,
    Extend,
    Close,
    Reveal,
    Hide,
    Correct,
    Cancel,
    Archive,
}

impl Task {
    /// All tasks, in the order in which pages offer them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Open,
        Self::Extend,
        Self::Close,
        Self::Reveal,
        Self::Hide,
        Self::Correct,
        Self::Cancel,
        Self::Archive,
    ];

    /// The last part of the task's address.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Extend => "extend",
            Self::Close => "close",
            Self::Reveal => "reveal",
            Self::Hide => "hide",
            Self::Correct => "correct",
            Self::Cancel => "cancel",
            Self::Archive => "archive",
        }
    }

    /// The task of this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Whether the task cannot be taken back, so that it needs a recent proof of who asks.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Close | Self::Reveal | Self::Archive => true,
            Self::Open | Self::Extend | Self::Hide | Self::Correct | Self::Cancel => false,
        }
    }

    /// Whether a poll allows the task at this moment, as far as it is known without asking the servers.
    pub(crate) fn is_possible(self, poll: &Poll, state: PollState) -> bool {
        use PollState::{Archived, Closed, Draft, Open, Scheduled};
        match self {
            Self::Open => matches!(state, Draft | Scheduled),
            Self::Extend => matches!(state, Scheduled | Open) && poll.closes_at_ms.is_some(),
            Self::Close => matches!(state, Scheduled | Open),
            Self::Reveal => state != Archived && poll.visibility != Visibility::Always,
            Self::Hide => state != Archived && poll.visibility != Visibility::Admin,
            Self::Correct => state != Archived,
            Self::Cancel => state == Scheduled,
            // Archiving a poll that is sealed then needs rights that this service must not have.
            Self::Archive => matches!(state, Draft | Closed) && !poll.secrecy.secret,
        }
    }
}

/// A task with everything that it needs.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Open { opens_at: Moment, closes_at: Option<Moment> },
    Extend(Extension),
    Close { at: Option<Moment> },
    Show(Visibility),
    Correct { title: Option<String>, labels: Vec<(Slug, String)> },
    Cancel,
    Archive,
}

impl Order {
    /// Reads the order from the fields of the task's form.
    ///
    /// # Errors
    /// Returns the mistake in a field, in words for the organiser.
    pub(crate) fn read(task: Task, fields: &Fields) -> Result<Self, Detail> {
        Ok(match task {
            Task::Open => Self::Open {
                opens_at: moment(fields, "opens_at")?.unwrap_or(Moment::InMs(0)),
                closes_at: moment(fields, "closes_at")?,
            },
            Task::Extend => match moment(fields, "closes_at")? {
                Some(Moment::InMs(ms)) => {
                    let by = std::time::Duration::from_millis(ms.max(0).unsigned_abs());
                    Self::Extend(Extension::By(by))
                }
                Some(at) => Self::Extend(Extension::To(at)),
                None => return Err(Message::new("host-detail-say-when").into()),
            },
            Task::Close => Self::Close { at: moment(fields, "at")? },
            Task::Reveal => Self::Show(Visibility::Always),
            Task::Hide => match fields.get("until") {
                Some("close") => Self::Show(Visibility::AfterClose),
                Some("vote") => Self::Show(Visibility::AfterVote),
                Some("revealed") | None => Self::Show(Visibility::Admin),
                Some(other) => return Err(mistakes::of_value("until", other)),
            },
            Task::Correct => Self::Correct {
                title: fields.get("title").map(str::to_owned),
                labels: labels(fields)?,
            },
            Task::Cancel => Self::Cancel,
            Task::Archive => Self::Archive,
        })
    }
}

fn labels(fields: &Fields) -> Result<Vec<(Slug, String)>, Detail> {
    let labels = fields.starting_with("label-").map(|(slug, label)| {
        let slug = slug.parse().map_err(|_| mistakes::of_value("label", slug))?;
        Ok((slug, label.to_owned()))
    });
    labels.collect()
}

fn moment(fields: &Fields, name: &str) -> Result<Option<Moment>, Detail> {
    let read = |given: &str| given.parse().map_err(|error| mistakes::of_moment(given, &error));
    fields.get(name).map(read).transpose()
}

/// The word of a field that has a few words; `otherwise` if it is empty.
fn word<T: FromStr>(fields: &Fields, name: &str, otherwise: T) -> Result<T, Detail> {
    let Some(given) = fields.get(name) else { return Ok(otherwise) };
    given.parse().map_err(|_| mistakes::of_value(name, given))
}

/// Reads the definition of a new poll from the fields of its form.
///
/// # Errors
/// Returns the first mistake, in words for the organiser.
pub(crate) fn definition(fields: &Fields) -> Result<Definition, Detail> {
    let title = fields.get("title").unwrap_or_default();
    let chars = title.chars().count();
    if !(1..=TITLE_CHARS_MAX).contains(&chars) {
        let message = Message::new("host-detail-title").with("max", TITLE_CHARS_MAX.to_string());
        return Err(message.with("given", chars.to_string()).into());
    }
    let slug = fields.get("slug").unwrap_or_default();
    let slug = slug.parse().map_err(|_| Detail::from(Message::new("host-detail-slug")))?;
    let lines = fields.get("options").unwrap_or_default().lines();
    let lines: Vec<String> =
        lines.map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if !(2..=OPTIONS_MAX).contains(&lines.len()) {
        let message = Message::new("host-detail-options").with("max", OPTIONS_MAX.to_string());
        return Err(message.with("given", lines.len().to_string()).into());
    }
    let choices = fields.get("choices_max").unwrap_or("1");
    let allowed = choices.parse().ok().filter(|max| (1..=lines.len()).contains(&usize::from(*max)));
    let Some(choices_max) = allowed else {
        let message = Message::new("host-detail-choices").with("max", lines.len().to_string());
        return Err(message.with("given", choices).into());
    };
    let (opens_at, closes_at) = times(fields)?;
    let definition = Definition {
        slug,
        title: title.to_owned(),
        titles: Translations::default(),
        lang: None,
        options: option_argument::options(&lines),
        choices_min: 1,
        choices_max,
        shuffle: fields.get("shuffle").is_some(),
        vote_policy: word(fields, "vote_policy", VotePolicy::KeepFirst)?,
        voter_policy: word(fields, "voter_policy", VoterPolicy::Open)?,
        visibility: word(fields, "visibility", Visibility::Always)?,
        secret: false,
        keep_votes_days: None,
        network_limit: None,
        listed: None,
        receipts: None,
        opens_at,
        closes_at,
    };
    definition.validated().map_err(mistakes::of_rule)
}

/// Opening and closing time of a new poll.
fn times(fields: &Fields) -> Result<(Option<Timestamp>, Option<Timestamp>), Detail> {
    let now = now_ms();
    let at = |name: &str| {
        let Some(at) = moment(fields, name)? else { return Ok(None) };
        let given = fields.get(name).unwrap_or_default();
        at.timestamp(now).map(Some).map_err(|_| mistakes::of_moment(given, &InvalidMoment::Unknown))
    };
    match (at("opens_at")?, at("closes_at")?) {
        (None, Some(_)) => Err(Message::new("host-detail-needs-opening").into()),
        (Some(opens), Some(closes)) if closes <= opens => {
            Err(Message::new("host-detail-closes-first").into())
        }
        times => Ok(times),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(task: Task, form: &str) -> Result<Order, Detail> {
        Order::read(task, &Fields::from_form(form.as_bytes()))
    }

    #[test]
    fn a_time_is_read_as_votectl_reads_it() {
        let order = read(Task::Open, "opens_at=&closes_at=%2B10m").unwrap();
        assert!(matches!(
            order,
            Order::Open { opens_at: Moment::InMs(0), closes_at: Some(Moment::InMs(600_000)) }
        ));
        let order = read(Task::Extend, "closes_at=%2B10m").unwrap();
        assert!(matches!(order, Order::Extend(Extension::By(by)) if by.as_secs() == 600));
        let order = read(Task::Extend, "closes_at=2026-03-01T20:00:00Z").unwrap();
        assert!(matches!(order, Order::Extend(Extension::To(Moment::At(_)))));
        assert!(read(Task::Extend, "").is_err() && read(Task::Close, "at=soon").is_err());
        assert!(matches!(read(Task::Close, "at="), Ok(Order::Close { at: None })));
        assert!(matches!(read(Task::Hide, ""), Ok(Order::Show(Visibility::Admin))));
        assert!(matches!(read(Task::Hide, "until=close"), Ok(Order::Show(Visibility::AfterClose))));
    }

    #[test]
    fn a_definition_has_an_option_in_each_line() {
        let form =
            "slug=pets&title=Pets%3F&options=Cats%0D%0A%0D%0Adogs%3DBig+dogs%0D%0A&shuffle=on";
        let made = definition(&Fields::from_form(form.as_bytes())).unwrap();
        let options: Vec<_> =
            made.options.iter().map(|one| (one.slug.as_str(), one.label.as_str())).collect();
        assert_eq!(options, [("cats", "Cats"), ("dogs", "Big dogs")]);
        assert!(made.shuffle && made.opens_at.is_none());
        for bad in [
            "slug=&title=x&options=a%0Ab",
            "slug=a&title=x&options=a",
            "slug=a&title=&options=a%0Ab",
            "slug=a&title=x&options=a%0Ab&choices_max=3",
            "slug=a&title=x&options=a%0Ab&choices_max=0",
            "slug=a&title=x&options=a%0Ab&visibility=nobody",
            "slug=a&title=x&options=a%0Ab&closes_at=%2B1h",
            "slug=a&title=x&options=a%0Ab&opens_at=%2B2h&closes_at=%2B1h",
            "slug=a&title=x&options=a%0Ab&opens_at=%2B9999999d",
            "slug=a&title=x&options=a%3DA%0Aa%3DB",
        ] {
            assert!(definition(&Fields::from_form(bad.as_bytes())).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_task_has_a_name_of_its_own() {
        for task in Task::ALL {
            assert_eq!(Task::of_name(task.name()), Some(task));
        }
        assert_eq!(Task::of_name("seal"), None);
    }
}
