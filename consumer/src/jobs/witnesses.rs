//! Asks witnesses to sign the newest checkpoints of the public logs (C2SP `tlog-witness`), and keeps their signatures.
//!
//! Each witness is asked on its own, so that one which is down holds up no other. A log is claimed in Postgres before a witness is asked
//! about it, so that one replica asks at a time; no transaction is open meanwhile. Nothing waits for a witness: a checkpoint is
//! published when the deployment has signed it.
//!
//! A witness that refuses has seen another history of the log. That is what it is there for, so it is an error in the log of
//! this service.

mod question;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use votestream_schema::{PollId, db};
use votestream_service::CancellationToken;
use votestream_service::http::outbound::{self, Uri};
use votestream_service::postgres::{Pool, describe_checkout};
use votestream_service::telemetry::log_throttle::LogThrottle;
use votestream_transparency::Hash;
use votestream_transparency::checkpoint::Head;
use votestream_transparency::proofs::{ProofError, prove_append_only};
use votestream_transparency::tree::TileId;
use votestream_transparency::witness::{self, Witness};

use crate::error::ServerError;
use crate::metrics;
use question::{NotSigned, ask, signature};

/// How often a witness is asked about what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most logs for one look.
const LOGS_MAX: i64 = 64;
/// How long a log is claimed: longer than one question takes. If a whole look takes longer, another replica asks too, which does no
/// harm.
const CLAIMED_FOR: Duration = Duration::from_secs(30);
/// A witness that is down is left alone for so long, and so is a log that a witness has refused to sign.
const AWAY_FOR: Duration = Duration::from_secs(15);
/// The length of a hash of the tree.
const HASH_BYTES: usize = 32;
/// Shortest time between two lines in the log about a witness.
const WARN_PERIOD: Duration = Duration::from_secs(30);

/// Asks one witness about all logs.
#[derive(Debug)]
pub(crate) struct WitnessJob {
    witness: Witness,
    address: Uri,
    client: outbound::Client,
    postgres: Pool,
    /// The addresses of Postgres, for the log.
    servers: Arc<str>,
    warnings: LogThrottle,
}

/// Why a log has no signature of the witness. The claim of the log ends later.
#[derive(Debug, thiserror::Error)]
enum Unsigned {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Witness(#[from] NotSigned),
    #[error("no proof can be made that the log only grew: {0}")]
    Proof(#[from] ProofError),
    #[error(
        "it has signed a checkpoint with {signed} entries, and the log has {size}: the database was turned back, or somebody shortened \
         the log"
    )]
    Shorter { signed: u64, size: u64 },
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Signed,
    Refused,
    Away,
}

impl Outcome {
    /// The value of the metric's label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Refused => "refused",
            Self::Away => "away",
        }
    }
}

impl Unsigned {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Witness(NotSigned::Away(_) | NotSigned::Slow(_) | NotSigned::Busy(_)) => {
                Outcome::Away
            }
            _ => Outcome::Refused,
        }
    }
}

/// A log that was claimed.
#[derive(Debug)]
struct Claimed {
    poll: PollId,
    /// The number of entries of the checkpoint that the witness signed last, as far as we know.
    signed: u64,
    head: Head,
    note: String,
}

impl WitnessJob {
    /// Creates the job. `servers` are the addresses of Postgres, without passwords.
    pub(crate) fn new(
        (witness, address): (Witness, Uri),
        client: outbound::Client,
        postgres: Pool,
        servers: Arc<str>,
    ) -> Self {
        let warnings = LogThrottle::new(WARN_PERIOD);
        Self { witness, address, client, postgres, servers, warnings }
    }

    /// Asks until `shutdown`.
    pub(crate) async fn watch(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let round = tokio::select! {
                () = shutdown.cancelled() => return,
                round = self.round() => round,
            };
            let pause = round.unwrap_or_else(|error| {
                if let Some(attempts) = self.warnings.happened() {
                    tracing::warn!(
                        attempts,
                        "no witness can be asked to sign the public logs, because postgres at {} does not answer, trying again in \
                         {} s ({attempts} attempts since the last such line): {error}",
                        self.servers,
                        LOOK_EVERY.as_secs()
                    );
                }
                LOOK_EVERY
            });
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Asks about all logs that have a newer checkpoint. Returns the time until the next round.
    async fn round(&mut self) -> Result<Duration, ServerError> {
        for claimed in self.claim().await? {
            let outcome = match self.sign(&claimed).await {
                Ok(()) => Outcome::Signed,
                Err(Unsigned::Server(error)) => return Err(error),
                Err(unsigned) => {
                    self.leave_alone(claimed.poll).await?;
                    self.warn(claimed.poll, &unsigned);
                    unsigned.outcome()
                }
            };
            metrics::COSIGNATURES.with([outcome.as_str()]).increment(1);
            if outcome == Outcome::Away {
                return Ok(AWAY_FOR);
            }
        }
        Ok(LOOK_EVERY)
    }

    /// Has one checkpoint signed, and keeps the signature.
    async fn sign(&self, claimed: &Claimed) -> Result<(), Unsigned> {
        match self.ask(claimed, claimed.signed).await {
            // It knows better which checkpoint it signed last: the database may be an older one.
            Err(Unsigned::Witness(NotSigned::OtherSize(signed))) => self.ask(claimed, signed).await,
            outcome => outcome,
        }
    }

    async fn ask(&self, claimed: &Claimed, signed: u64) -> Result<(), Unsigned> {
        let size = claimed.head.size;
        if signed > size {
            return Err(Unsigned::Shorter { signed, size });
        }
        let proof = self.proof(claimed.poll, signed, claimed.head).await?;
        let question = witness::request(signed, &proof, &claimed.note);
        let body = ask(&self.client, &self.address, question).await?;
        let signature = signature(&body, &claimed.note, &self.witness.key)?;
        Ok(self.keep(claimed, &signature.line).await?)
    }

    /// Makes the proof that the log only grew since the witness signed it.
    async fn proof(&self, poll: PollId, signed: u64, head: Head) -> Result<Vec<Hash>, Unsigned> {
        let mut tiles: HashMap<TileId, Vec<u8>> = HashMap::new();
        loop {
            let read = |id, width| {
                let hashes = tiles.get(&id)?.get(..usize::try_from(width).ok()? * HASH_BYTES)?;
                Some(hashes.to_vec())
            };
            // The tiles that are needed are found one by one: a few, as a tree of millions has three levels of tiles.
            match prove_append_only(signed, head, &read) {
                Err(ProofError::NoTile(id)) if !tiles.contains_key(&id) => {
                    tiles.insert(id, self.tile(poll, id).await?);
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn tile(&self, poll: PollId, id: TileId) -> Result<Vec<u8>, ServerError> {
        self.with_session(async |client| Ok(db::log::tile(client, poll, id.level, id.index).await?))
            .await
    }

    async fn claim(&self) -> Result<Vec<Claimed>, ServerError> {
        let key = self.witness.key.as_line();
        let seconds = CLAIMED_FOR.as_secs_f64();
        let rows = self.with_session(async |client| {
            let sql = include_str!("../../sql/log/claim_for_witness.sql");
            let parameters = [
                (&key as _, Type::TEXT),
                (&LOGS_MAX as _, Type::INT8),
                (&seconds as _, Type::FLOAT8),
            ];
            Ok(client.query_typed(sql, &parameters).await?)
        });
        let claimed = |row: &Row| {
            let root: [u8; HASH_BYTES] = row.get::<_, &[u8]>("root").try_into().ok()?;
            let size = row.get::<_, i64>("size").unsigned_abs();
            Some(Claimed {
                poll: PollId(row.get("poll_id")),
                signed: row.get::<_, i64>("signed").unsigned_abs(),
                head: Head { size, root: Hash(root) },
                note: row.get("note"),
            })
        };
        Ok(rows.await?.iter().filter_map(claimed).collect())
    }

    async fn keep(&self, claimed: &Claimed, line: &str) -> Result<(), ServerError> {
        let (key, size) = (self.witness.key.as_line(), claimed.head.size as i64);
        let parameters = [
            (&key as _, Type::TEXT),
            (&claimed.poll.0 as _, Type::INT4),
            (&size as _, Type::INT8),
            (&line as _, Type::TEXT),
        ];
        self.change(include_str!("../../sql/log/cosign.sql"), &parameters).await
    }

    /// Asks about this log again after a while.
    async fn leave_alone(&self, poll: PollId) -> Result<(), ServerError> {
        let (key, seconds) = (self.witness.key.as_line(), AWAY_FOR.as_secs_f64());
        let parameters =
            [(&key as _, Type::TEXT), (&poll.0 as _, Type::INT4), (&seconds as _, Type::FLOAT8)];
        self.change(include_str!("../../sql/log/witness_later.sql"), &parameters).await
    }

    async fn change(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<(), ServerError> {
        self.with_session(async |client| {
            Ok(client.execute_typed(sql, parameters).await.map(drop)?)
        })
        .await
    }

    async fn with_session<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(describe_checkout(e)))?;
        session.run(work).await
    }

    fn warn(&mut self, poll: PollId, unsigned: &Unsigned) {
        let Some(attempts) = self.warnings.happened() else { return };
        let (name, url) = (self.witness.key.name(), &self.witness.url);
        match unsigned.outcome() {
            Outcome::Refused => tracing::error!(
                poll = poll.0,
                attempts,
                "the witness {name} at {url} does not sign the public log of poll {poll}: {unsigned}. Trying again in {} s; \
                 docs/TRUST.md says what a witness is for",
                AWAY_FOR.as_secs()
            ),
            _ => tracing::warn!(
                attempts,
                "the witness {name} at {url} cannot be asked to sign the public logs, trying again in {} s ({attempts} attempts since \
                 the last such line): {unsigned}",
                AWAY_FOR.as_secs()
            ),
        }
    }
}
