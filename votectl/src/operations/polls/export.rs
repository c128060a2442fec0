//! Reads a poll's results, or every single vote, at one moment.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use votestream_schema::{BallotId, Choices, EntryId, Poll, Slug, VoterKey, db};
use votestream_service::postgres::{Session, Transaction};

use super::show::Results;
use super::stored::find;
use crate::error::Error;
use crate::servers::Servers;

/// One vote: the ballot that stands for a voter.
#[derive(Clone, Debug)]
pub struct ExportedVote<'a> {
    /// The voter.
    pub voter: VoterKey,
    /// The options chosen, by slug, in the order shown to voters.
    pub choices: Vec<&'a str>,
    /// The ID of the stream entry in which the ballot came in.
    pub entry: EntryId,
    /// The ballot.
    pub ballot: BallotId,
}

/// A session with Postgres for one export. [`Export::read`] fixes the moment at which everything is read.
pub struct Export {
    postgres: Session,
}

/// A poll at one moment; all that is read from it agrees.
pub struct Snapshot<'a> {
    moment: Transaction<'a>,
    /// The poll.
    pub poll: Poll,
}

impl Export {
    /// Connects to Postgres, which is all that an export needs.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub async fn start(servers: &Servers) -> Result<Self, Error> {
        let postgres = servers.postgres().await?;
        Ok(Self { postgres })
    }

    /// Reads the poll, and fixes the moment.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchPoll`], or the error of Postgres.
    pub async fn read(&mut self, slug: &Slug) -> Result<Snapshot<'_>, Error> {
        // Millions of votes take longer than any other statement may.
        let moment = self.postgres.begin_snapshot(Duration::ZERO).await?;
        let poll = find(&moment, slug).await?;
        Ok(Snapshot { moment, poll })
    }
}

impl Snapshot<'_> {
    /// Reads the results, and the people counted by second as `(Unix time in seconds, people)`.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub async fn results(&self) -> Result<(Results, Vec<(i64, i64)>), Error> {
        let progress = db::watermarks::progress(&self.moment, self.poll.id).await?;
        let tally = db::results::tally(&self.moment, self.poll.id).await?;
        let series = db::results::series(&self.moment, self.poll.id).await?;
        Ok((Results::new(&self.poll, &tally, progress), series))
    }

    /// Calls `write` with every vote, in the order in which the ballots came in. One vote is held at a time,
    /// so that millions need no more memory than one.
    ///
    /// # Errors
    /// Returns the error of Postgres, or the first error of `write`.
    pub async fn each_vote<E: From<Error>>(
        &self,
        mut write: impl FnMut(ExportedVote<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = include_str!("../../../sql/votes.sql");
        let rows = self
            .moment
            .query_typed_raw(sql, [(self.poll.id.0, Type::INT4)])
            .await
            .map_err(Error::from)?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(Error::from)? {
            write(vote(&self.poll, &row))?;
        }
        Ok(())
    }
}

fn vote<'a>(poll: &'a Poll, row: &Row) -> ExportedVote<'a> {
    let chosen = Choices::from_mask(row.get("choices"));
    let slugs = chosen.into_iter().flat_map(|choices| poll.chosen(choices));
    ExportedVote {
        voter: VoterKey(row.get::<_, Uuid>("voter")),
        choices: slugs.map(|option| option.slug.as_str()).collect(),
        entry: EntryId { ms: row.get("entry_ms"), seq: row.get("entry_seq") },
        ballot: BallotId(row.get::<_, Uuid>("ballot")),
    }
}
