//! Recounts the results from the votes themselves, beside the results that Postgres stores.

use std::collections::HashMap;

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use votestream_schema::tally::Tally;
use votestream_schema::{Choices, Poll, PollId, db};

use super::stream_counts::Ballots;
use crate::error::Error;

/// A poll's stored results, and the same results by a recount.
#[derive(Debug)]
pub struct Recount {
    /// The tally as it is stored.
    pub stored: Tally,
    /// The tally by the votes; `None` if the poll's votes were deleted.
    pub recounted: Option<Tally>,
    /// The sum of the stored series: people counted, over all seconds.
    pub series: i64,
    /// Seconds in which the series differs from the votes; `None` if the votes have no times any more.
    pub seconds_different: Option<i64>,
    /// Ballots that another one replaced or beat.
    pub superseded: i64,
    /// Ballots that came before the opening or after the close.
    pub out_of_time: i64,
    /// Votes without a voting code; `None` if the poll needs none, or the votes have no voters any more.
    pub without_code: Option<i64>,
    /// The partitions from which votes came; all of them if that is no longer known.
    pub partitions: Vec<i32>,
}

impl Recount {
    /// The people counted: by the votes, or as it is stored if there are no votes any more.
    pub fn voters(&self) -> i64 {
        self.recounted.as_ref().unwrap_or(&self.stored).voters
    }
}

/// Recounts a poll at the moment of the transaction.
pub async fn of_poll(moment: &Client, poll: &Poll, partitions: u16) -> Result<Recount, Error> {
    let id: &[(&(dyn ToSql + Sync), Type)] = &[(&poll.id.0, Type::INT4)];
    let rows = moment.query_typed(include_str!("../../../sql/recount.sql"), id).await?;
    let mut recounted = Tally { votes: vec![0; poll.options.len()], ..Tally::default() };
    for row in &rows {
        let votes: i64 = row.get("votes");
        recounted.voters += votes;
        let positions =
            Choices::from_mask(row.get("choices")).into_iter().flat_map(Choices::positions);
        for position in positions.filter(|position| *position < poll.options.len()) {
            recounted.votes[position] += votes;
        }
    }
    let series = moment.query_typed_one(include_str!("../../../sql/audit_series.sql"), id).await?;
    let aside =
        moment.query_typed_one(include_str!("../../../sql/audit_set_aside.sql"), id).await?;
    let is_sealed = poll.secrecy.is_sealed();
    let without_code = match poll.voter_policy.needs_code() && !is_sealed {
        true => {
            let sql = include_str!("../../../sql/audit_without_code.sql");
            Some(moment.query_typed_one(sql, id).await?.get(0))
        }
        false => None,
    };
    let sql = include_str!("../../../sql/audit_partitions.sql");
    let known =
        moment.query_typed(sql, &[id[0].clone(), (&i64::from(partitions), Type::INT8)]).await?;
    let partitions = match is_sealed {
        true => (0..i32::from(partitions)).collect(),
        false => known.iter().map(|row| row.get(0)).collect(),
    };
    Ok(Recount {
        stored: db::results::tally(moment, poll.id).await?,
        recounted: poll.secrecy.erased_at_ms.is_none().then_some(recounted),
        series: series.get("stored"),
        seconds_different: (!is_sealed).then(|| series.get("seconds_different")),
        superseded: aside.get("superseded"),
        out_of_time: aside.get("out_of_time"),
        without_code,
        partitions,
    })
}

/// The number of these ballots, by poll, that Postgres has neither counted nor set aside.
pub async fn uncounted(moment: &Client, ballots: &Ballots) -> Result<HashMap<PollId, i64>, Error> {
    let sql = include_str!("../../../sql/audit_uncounted.sql");
    let rows = moment
        .query_typed(
            sql,
            &[
                (&ballots.polls, Type::INT4_ARRAY),
                (&ballots.voters, Type::UUID_ARRAY),
                (&ballots.ids, Type::UUID_ARRAY),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| (PollId(row.get(0)), row.get(1))).collect())
}
