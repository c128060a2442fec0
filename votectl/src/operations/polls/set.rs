//! Changes what may change in a poll after it was created.

use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::poll::translations::{LanguageTag, Translations};
use votestream_schema::poll::{Visibility, check_title, now_ms};
use votestream_schema::{Poll, PollState, Slug, db};

use super::publish::publish;
use super::stored::{PollNow, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// New values for a poll; `None` keeps a value. Everything else in a poll stays, because ballots have been cast under it.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The question.
    pub title: Option<String>,
    /// Texts of options, by their slugs.
    pub labels: Vec<(Slug, String)>,
    /// The further language of `title` and `labels`, where an empty text removes the one that is there; without it they are the poll's
    /// own texts.
    pub language: Option<LanguageTag>,
    /// The language in which the poll is written; `Some(None)` for none.
    pub lang: Option<Option<LanguageTag>>,
    /// Who sees the tally, and when.
    pub visibility: Option<Visibility>,
    /// How many new voters one client network may bring; `Some(None)` leaves that to the settings of the producers.
    pub network_limit: Option<Option<NetworkLimit>>,
    /// Whether lists of polls name this one.
    pub listed: Option<bool>,
}

/// Changes a poll, and keeps the values before. Pages show the new values within two seconds. The poll's revision grows
/// if anything differs, and stays otherwise.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::NoSuchOption`], [`Error::BadText`], [`Error::PollRefuses`] for an archived poll,
/// or for another network limit of a closed one, or the error of the server that failed. After an error of Redis, Postgres has
/// the values, and the consumers copy them.
pub async fn set(servers: &Servers, slug: &Slug, changes: &Changes) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let before = find_and_lock(&transaction, slug).await?;
    let state = before.state(now_ms());
    let is_over = match state {
        PollState::Archived => true,
        PollState::Closed => changes.network_limit.is_some(),
        _ => false,
    };
    if is_over {
        return refuse(&before, Refusal::IsOver(state));
    }
    let mut poll = changed(&before, changes)?;
    if poll == before {
        return Ok(PollNow::new(before));
    }
    poll.revision += 1;
    db::poll_changes::store(&transaction, &before, &poll).await?;
    let step = (servers.actor(), "poll set");
    db::audit_trail::store_change(&transaction, step, &before, &poll).await?;
    // Read anew: the poll may have a key now that it did not need before.
    let poll = find_and_lock(&transaction, slug).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "postgres has the change already: the consumers will tell redis when it is back",
        )
    })?;
    Ok(PollNow::new(poll))
}

/// The poll with these changes, if they are sound.
fn changed(before: &Poll, changes: &Changes) -> Result<Poll, Error> {
    let mut poll = before.clone();
    if let Some(title) = &changes.title {
        put(&changes.language, title, &mut poll.title, &mut poll.titles);
        check_title(&poll.title, &poll.titles)?;
    }
    for (slug, label) in &changes.labels {
        let option = poll.options.iter_mut().find(|option| option.slug == *slug);
        let Some(option) = option else {
            return Err(Error::NoSuchOption { poll: poll.slug, option: slug.clone() });
        };
        put(&changes.language, label, &mut option.label, &mut option.labels);
        option.check()?;
    }
    poll.lang = changes.lang.clone().unwrap_or(poll.lang);
    poll.visibility = changes.visibility.unwrap_or(poll.visibility);
    poll.network_limit = changes.network_limit.unwrap_or(poll.network_limit);
    poll.listed = changes.listed.or(poll.listed);
    Ok(poll)
}

/// Puts a new text in the place of the text itself, or of that in a further language.
fn put(
    language: &Option<LanguageTag>,
    new: &str,
    text: &mut String,
    translations: &mut Translations,
) {
    match language {
        None => new.clone_into(text),
        Some(language) => {
            translations.set(language.clone(), (!new.is_empty()).then(|| new.to_owned()));
        }
    }
}
