//! The tasks of an organiser, and the orders that they give with them.

use votestream_schema::poll::{Definition, Invalid, Visibility, VotePolicy, VoterPolicy, now_ms};
use votestream_schema::{Poll, PollState, Slug};
use votestream_votectl::operations::polls::Extension;
use votestream_votectl::{Moment, option_argument};

use crate::fields::Fields;

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
    pub(crate) fn read(task: Task, fields: &Fields) -> Result<Self, Invalid> {
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
                None => return Err(Invalid("say by how much, or until when".to_owned())),
            },
            Task::Close => Self::Close { at: moment(fields, "at")? },
            Task::Reveal => Self::Show(Visibility::Always),
            Task::Hide => match fields.get("until") {
                Some("close") => Self::Show(Visibility::AfterClose),
                Some("vote") => Self::Show(Visibility::AfterVote),
                Some("revealed") | None => Self::Show(Visibility::Admin),
                Some(_) => return Err(Invalid("`until` is close, vote or revealed".to_owned())),
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

fn labels(fields: &Fields) -> Result<Vec<(Slug, String)>, Invalid> {
    let labels = fields.starting_with("label-").map(|(slug, label)| {
        Ok((slug.parse().map_err(|_| Invalid(format!("`{slug}` is no slug")))?, label.to_owned()))
    });
    labels.collect()
}

fn moment(fields: &Fields, name: &str) -> Result<Option<Moment>, Invalid> {
    let moment = fields.get(name).map(str::parse::<Moment>).transpose();
    moment.map_err(|error| Invalid(format!("the time cannot be read: {error}")))
}

/// Reads the definition of a new poll from the fields of its form.
///
/// # Errors
/// Returns the first mistake, in words for the organiser.
pub(crate) fn definition(fields: &Fields) -> Result<Definition, Invalid> {
    let slug = fields.get("slug").unwrap_or_default();
    let slug = slug.parse().map_err(|error| Invalid(format!("the name in addresses: {error}")))?;
    let lines = fields.get("options").unwrap_or_default().lines();
    let lines: Vec<String> =
        lines.map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let number = |name: &str| match fields.get(name) {
        Some(text) => {
            text.parse().map_err(|_| Invalid(format!("`{text}` is no number of choices")))
        }
        None => Ok(1),
    };
    let at = |name: &str| match moment(fields, name)? {
        Some(at) => at.timestamp(now_ms()).map(Some).map_err(|error| Invalid(error.to_string())),
        None => Ok(None),
    };
    let definition = Definition {
        slug,
        title: fields.get("title").unwrap_or_default().to_owned(),
        options: option_argument::options(&lines),
        choices_min: number("choices_min")?,
        choices_max: number("choices_max")?,
        shuffle: fields.get("shuffle").is_some(),
        vote_policy: fields.get("vote_policy").map_or(Ok(VotePolicy::KeepFirst), str::parse)?,
        voter_policy: fields.get("voter_policy").map_or(Ok(VoterPolicy::Open), str::parse)?,
        visibility: fields.get("visibility").map_or(Ok(Visibility::Always), str::parse)?,
        secret: false,
        keep_votes_days: None,
        network_limit: None,
        listed: None,
        opens_at: at("opens_at")?,
        closes_at: at("closes_at")?,
    };
    definition.validated()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(task: Task, form: &str) -> Result<Order, Invalid> {
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
