//! One question to a witness, and its answer.

use std::time::Duration;

use votestream_service::http::outbound::{self, Client, Uri};
use votestream_transparency::checkpoint;
use votestream_transparency::witness::{Cosignature, WitnessKey};

/// The longest time for an answer.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// The longest answer in bytes: a few lines of signatures.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The most characters of a refusal that are shown.
const REASON_CHARS_MAX: usize = 200;

/// Why a witness has not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSigned {
    /// It cannot be reached.
    #[error(transparent)]
    Away(#[from] outbound::Error),
    /// It has not answered in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// It has troubles of its own, or too many questions.
    #[error("it answered with status {0}")]
    Busy(u16),
    /// It has signed another checkpoint last.
    #[error("it has signed another checkpoint last, with {0} entries")]
    OtherSize(u64),
    /// It does not know this log.
    #[error(
        "it does not know this log, or the key that signs it; the people who run the witness add both. It says: {0}"
    )]
    UnknownLog(String),
    /// It refuses, with its reason.
    #[error("it refuses with status {0}: {1}")]
    Refused(u16, String),
    /// Its answer has no signature of it.
    #[error("its answer has no signature that its public key fits")]
    NoSignature,
    /// Its signature is wrong.
    #[error("its answer cannot be used: {0}")]
    Unusable(#[from] checkpoint::Error),
}

/// Sends a [question](votestream_transparency::witness::request) to a witness, and returns its answer if it has signed.
pub(super) async fn ask(
    client: &Client,
    address: &Uri,
    question: String,
) -> Result<String, NotSigned> {
    let exchange = async {
        let reply = client.post(address, "text/plain; charset=utf-8", question.into()).await?;
        let status = reply.status().as_u16();
        Ok::<_, NotSigned>((status, reply.into_body().all(ANSWER_BYTES_MAX).await?))
    };
    let exchanged = tokio::time::timeout(TIME_LIMIT, exchange).await;
    let (status, body) = exchanged.map_err(|_| NotSigned::Slow(TIME_LIMIT))??;
    let body = String::from_utf8_lossy(&body);
    match status {
        200 => Ok(body.into_owned()),
        409 => match body.trim().parse() {
            Ok(size) => Err(NotSigned::OtherSize(size)),
            Err(_) => Err(NotSigned::Refused(status, reason(&body))),
        },
        403 | 404 => Err(NotSigned::UnknownLog(reason(&body))),
        429 | 500.. => Err(NotSigned::Busy(status)),
        _ => Err(NotSigned::Refused(status, reason(&body))),
    }
}

/// The signature of a witness in its answer, which has lines that belong below the checkpoint `note`.
pub(super) fn signature(
    answer: &str,
    note: &str,
    key: &WitnessKey,
) -> Result<Cosignature, NotSigned> {
    key.find(&format!("{note}{answer}"))?.ok_or(NotSigned::NoSignature)
}

/// What a witness says, on one line.
fn reason(body: &str) -> String {
    let words: Vec<&str> = body.split_whitespace().collect();
    let one_line = words.join(" ");
    one_line.chars().filter(|it| !it.is_control()).take(REASON_CHARS_MAX).collect()
}
