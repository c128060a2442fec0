//! Carries out the orders of organisers, with the operations that `votectl` calls.
//!
//! Invariant: an order that has begun is finished, also when the client that gave it has gone; and no more than
//! [`AT_ONCE`] go on at a time, so that their sessions stay below the limit of the role.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use votestream_schema::code::Code;
use votestream_schema::db::audit_trail::StoredStep;
use votestream_schema::organiser::Organiser;
use votestream_schema::poll::Definition;
use votestream_schema::{Poll, PollState, Slug, db};
use votestream_votectl::operations::codes;
use votestream_votectl::operations::log::log;
use votestream_votectl::operations::polls::{
    self, Changes, IfExists, PollList, PollWithResults, ResultsFile,
};
use votestream_votectl::{Error, Refusal, Servers};

use crate::codes::CodesOrder;
use crate::metrics;
use crate::order::Order;

/// The name under which Postgres lists the sessions of this service.
pub(crate) const APPLICATION: &str = "votestream-host";
/// Orders and reads that go on at the same time.
const AT_ONCE: usize = 8;
/// Steps of the audit trail that a poll's page shows.
const STEPS_SHOWN: u32 = 20;

/// A poll after an order.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The poll as it is stored now.
    pub(crate) poll: Poll,
    /// Its state then.
    pub(crate) state: PollState,
}

/// Voting codes after an order.
#[derive(Debug)]
pub(crate) enum HandedOut {
    /// New codes, which are known nowhere else.
    New(Vec<Code>),
    /// Codes that people have already.
    Added {
        /// All codes of the order.
        codes: Vec<Code>,
        /// Those that the poll did not have before.
        added: u64,
        /// Those that it had.
        already_there: u64,
    },
}

/// Carries out orders; clones share everything.
#[derive(Clone)]
pub(crate) struct Desk {
    servers: Arc<Servers>,
    slots: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(servers: Servers) -> Self {
        Self { servers: Arc::new(servers), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Lists the polls that the organiser may use, those that are archived too.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub(crate) async fn list(&self, organiser: &Organiser) -> Result<PollList, Error> {
        let _slot = self.slots.acquire().await;
        let mut list = Box::pin(polls::list(&self.servers, true)).await?;
        list.polls.retain(|poll| organiser.may_use(&poll.slug));
        Ok(list)
    }

    /// Reads a poll with its results and its last steps.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`], also for a poll that the organiser may not use, or the error of Postgres.
    pub(crate) async fn show(
        &self,
        organiser: &Organiser,
        slug: &Slug,
    ) -> Result<(PollWithResults, Vec<StoredStep>), Error> {
        check_may_use(organiser, slug)?;
        let _slot = self.slots.acquire().await;
        let poll = Box::pin(polls::show(&self.servers, slug)).await?;
        let steps = log(&self.servers, Some(slug), STEPS_SHOWN).await?;
        Ok((poll, steps))
    }

    /// Creates a poll.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`] for a slug that the organiser may not use, or the errors of [`polls::create`].
    pub(crate) async fn create(
        &self,
        organiser: &Organiser,
        definition: Definition,
    ) -> Result<Outcome, Error> {
        check_may_use(organiser, &definition.slug)?;
        self.finish(organiser, |servers| async move {
            let created = polls::create(&servers, &definition, IfExists::Fail).await?;
            Ok(Outcome { state: created.state, poll: created.poll })
        })
        .await
    }

    /// Carries out an order.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`], also for a poll that the organiser may not use, or the errors of the operation.
    pub(crate) async fn carry_out(
        &self,
        organiser: &Organiser,
        slug: &Slug,
        order: Order,
    ) -> Result<Outcome, Error> {
        check_may_use(organiser, slug)?;
        let slug = slug.clone();
        self.finish(organiser, |servers| async move {
            Box::pin(carry_out(&servers, &slug, order)).await
        })
        .await
    }

    /// Makes new voting codes, or adds those of the organiser.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`], also for a poll that the organiser may not use, or the errors of [`codes::add`].
    pub(crate) async fn codes(
        &self,
        organiser: &Organiser,
        slug: &Slug,
        order: CodesOrder,
    ) -> Result<HandedOut, Error> {
        check_may_use(organiser, slug)?;
        let slug = slug.clone();
        self.finish(
            organiser,
            |servers| async move { Box::pin(hand_out(&servers, &slug, order)).await },
        )
        .await
    }

    /// Reads the results for a file.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`], also for a poll that the organiser may not use, or the error of Postgres.
    pub(crate) async fn results(
        &self,
        organiser: &Organiser,
        slug: &Slug,
    ) -> Result<ResultsFile, Error> {
        check_may_use(organiser, slug)?;
        let _slot = self.slots.acquire().await;
        Box::pin(polls::results_file(&self.servers, slug)).await
    }

    /// Runs an operation to its end, whether or not anybody still waits for it.
    async fn finish<T, F>(
        &self,
        organiser: &Organiser,
        operation: impl FnOnce(Servers) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let servers = self.servers.acting_as(&organiser.name, APPLICATION);
        let (operation, slots) = (operation(servers), self.slots.clone());
        let task = tokio::spawn(async move {
            let _slot = slots.acquire_owned().await;
            operation.await
        });
        let outcome = match task.await {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let word = match &outcome {
            Ok(_) => "done",
            Err(error) if is_refusal(error) => "refused",
            Err(_) => "failed",
        };
        metrics::ORDERS.with([word]).increment(1);
        outcome
    }
}

/// Somebody else's poll looks like one that does not exist.
fn check_may_use(organiser: &Organiser, slug: &Slug) -> Result<(), Error> {
    match organiser.may_use(slug) {
        true => Ok(()),
        false => Err(Error::NoSuchPoll(slug.clone())),
    }
}

async fn carry_out(servers: &Servers, slug: &Slug, order: Order) -> Result<Outcome, Error> {
    let now = match order {
        Order::Open { opens_at, closes_at } => {
            polls::open(servers, slug, opens_at, closes_at).await?.now
        }
        Order::Extend(extension) => polls::extend(servers, slug, extension).await?,
        Order::Close { at } => {
            let closed = polls::close(servers, slug, at, None).await?;
            return Ok(Outcome { poll: closed.poll, state: closed.state });
        }
        Order::Show(visibility) => {
            let changes = Changes { visibility: Some(visibility), ..Changes::default() };
            polls::set(servers, slug, &changes).await?
        }
        Order::Correct { title, labels } => {
            polls::set(servers, slug, &Changes { title, labels, ..Changes::default() }).await?
        }
        Order::Cancel => polls::cancel(servers, slug).await?,
        Order::Archive => {
            // This never changes in a poll, so it may be read beforehand.
            if polls::show(servers, slug).await?.poll.secrecy.secret {
                let reason = Refusal::SealsWhenArchived;
                return Err(Error::PollRefuses { slug: slug.clone(), reason });
            }
            polls::archive(servers, slug, |_, _| ()).await?
        }
    };
    Ok(Outcome { poll: now.poll, state: now.state })
}

async fn hand_out(servers: &Servers, slug: &Slug, order: CodesOrder) -> Result<HandedOut, Error> {
    let not_copied = |error: Option<Error>| {
        if let Some(error) = error {
            tracing::warn!("{}", codes::not_copied(&error));
        }
    };
    match order {
        CodesOrder::Issue(count) => {
            let issued = codes::issue(servers, slug, count).await?;
            not_copied(issued.not_copied);
            Ok(HandedOut::New(issued.codes))
        }
        CodesOrder::Import(codes) => {
            let added = codes::add(servers, slug, &codes).await?;
            not_copied(added.not_copied);
            let (added, already_there) = (added.added, added.already_there);
            Ok(HandedOut::Added { codes, added, already_there })
        }
    }
}

/// Whether the order itself is the reason why it was not carried out.
pub(crate) fn is_refusal(error: &Error) -> bool {
    match error {
        Error::NoSuchPoll(_)
        | Error::NoSuchOption { .. }
        | Error::BadText(_)
        | Error::PollRefuses { .. }
        | Error::TakesNoCodes(_)
        | Error::Database(db::Error::SlugTaken(_)) => true,
        Error::Explained { cause, .. } => is_refusal(cause),
        _ => false,
    }
}
