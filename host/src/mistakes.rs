//! Says to an organiser why an order cannot be carried out, in the language of the page.
//!
//! `votectl` says the same to operators, with its own commands as the next step. Rules that only a program's request can
//! break, such as the form of a colour, are told in English.

use votestream_schema::PollState;
use votestream_schema::poll::{Invalid, rfc3339};
use votestream_schema::{Slug, db};
use votestream_service::language::Message;
use votestream_service::page::plain_time;
use votestream_service::problem::Detail;
use votestream_votectl::{Error, InvalidMoment, Refusal};

/// Why an operation was refused.
pub(crate) fn of_operation(error: &Error) -> Detail {
    match error {
        Error::PollRefuses { reason, .. } => of_poll(*reason),
        Error::NoSuchOption { option, .. } => named("host-detail-no-option", option.as_str()),
        Error::Database(db::Error::SlugTaken(slug)) => named("host-detail-taken", slug),
        Error::TakesNoCodes(_) => Message::new("host-detail-no-codes").into(),
        Error::Explained { cause, .. } => of_operation(cause),
        other => Detail::from(other.to_string()),
    }
}

/// The slug that the organiser may not use for a new poll.
pub(crate) fn not_yours(slug: &Slug) -> Detail {
    named("host-detail-not-yours", slug.as_str())
}

/// A text that is no moment.
pub(crate) fn of_moment(given: &str, error: &InvalidMoment) -> Detail {
    let (id, given) = match error {
        InvalidMoment::Unknown => ("host-detail-time", given),
        InvalidMoment::NoZone(time) => ("host-detail-time-zone", time.as_str()),
        InvalidMoment::NoSuchZone(zone) => ("host-detail-no-zone", zone.as_str()),
    };
    Message::new(id).with("given", given).into()
}

/// A value that a field cannot have.
pub(crate) fn of_value(name: &str, given: &str) -> Detail {
    Message::new("host-detail-value").with("name", name).with("given", given).into()
}

/// A rule of the model that no field of a form can break.
pub(crate) fn of_rule(Invalid(reason): Invalid) -> Detail {
    reason.into()
}

fn named(id: &'static str, slug: &str) -> Detail {
    Message::new(id).with("slug", slug).into()
}

fn of_poll(reason: Refusal) -> Detail {
    let over = |state: PollState| Message::new("host-detail-is-over").with("state", state.as_str());
    let message = match reason {
        Refusal::IsDraft | Refusal::IsNotScheduled => Message::new("host-detail-is-draft"),
        Refusal::IsArchived => over(PollState::Archived),
        Refusal::IsClosed => over(PollState::Closed),
        Refusal::IsOver(state) | Refusal::TakesNoBallots(state) => over(state),
        Refusal::NotOpened => Message::new("host-detail-not-opened"),
        Refusal::ClosesWithinSeconds => Message::new("host-detail-closes-soon"),
        Refusal::OpensWithinSeconds => Message::new("host-detail-opens-soon"),
        Refusal::ClosesTooEarly(ms) => {
            Message::new("host-detail-too-early").with("ms", ms.to_string())
        }
        Refusal::ClosesBeforeItOpens => Message::new("host-detail-closes-first"),
        Refusal::IsOpen => Message::new("host-detail-is-open"),
        Refusal::HasOpened => Message::new("host-detail-has-opened"),
        Refusal::HasNoEnd => Message::new("host-detail-no-end"),
        Refusal::EndsLaterAlready(at_ms) => {
            Message::new("host-detail-ends-later").with("at", plain_time(&rfc3339(at_ms)))
        }
        Refusal::OpensInThePast => Message::new("host-detail-past"),
        Refusal::NotClosed(_) => Message::new("host-detail-close-first"),
        Refusal::SealsWhenArchived => Message::new("host-detail-seals"),
        // No order of this service is refused for these reasons.
        Refusal::MayTakeBallots(_)
        | Refusal::IsSealed
        | Refusal::NoSecret
        | Refusal::NotArchived(_)
        | Refusal::NotFinal(_) => return Detail::from(reason.to_string()),
    };
    message.into()
}
