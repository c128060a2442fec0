//! Reads request bodies within limits of size and time.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use votestream_service::language::Message;
use votestream_service::problem::Problem;
use warp::{Filter, Rejection};

use crate::problems::TOO_SLOW;

/// Largest body in bytes: a ballot with 63 slugs of 63 characters, and some room.
pub const BYTES_MAX: usize = 16 * 1024;

/// Bytes beyond that limit that are read and thrown away. Closing the connection while the client still
/// sends would reset it, and the client would never see the reply that names the limit.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// Returns the filter that reads a body, or describes the problem with it.
pub fn bounded(
    timeout: Duration,
) -> impl Filter<Extract = (Result<Bytes, Problem>,), Error = Rejection> + Clone {
    warp::body::stream().then(move |stream| async move {
        let mut collecting = std::pin::pin!(collect(stream));
        // Most bodies arrive together with their heads; those need no timer.
        if let Some(body) = collecting.as_mut().now_or_never() {
            return body;
        }
        let body = tokio::time::timeout(timeout, collecting).await;
        body.unwrap_or_else(|_| Err(too_slow(timeout)))
    })
}

async fn collect(
    stream: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Bytes, Problem> {
    tokio::pin!(stream);
    // Most bodies arrive in one piece, which need not be copied. Of the others no piece is kept, because each keeps the
    // whole buffer alive that it was read into.
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    let mut received = 0;
    while let Some(chunk) = stream.next().await {
        let mut chunk =
            chunk.map_err(|_| Problem::malformed(Message::new("detail-ended-early")))?;
        let length = chunk.remaining();
        received += length;
        if received > BYTES_MAX + DISCARDED_BYTES_MAX {
            break;
        }
        if received > BYTES_MAX {
            (first, body) = (Bytes::new(), BytesMut::new());
            continue;
        }
        if received == length {
            first = chunk.copy_to_bytes(length);
            continue;
        }
        if body.is_empty() {
            body.reserve(BYTES_MAX);
        }
        body.extend_from_slice(&std::mem::take(&mut first));
        body.put(chunk);
    }
    match received {
        0..=BYTES_MAX if body.is_empty() => Ok(first),
        0..=BYTES_MAX => Ok(body.freeze()),
        _ => Err(Problem::too_large(BYTES_MAX)),
    }
}

fn too_slow(timeout: Duration) -> Problem {
    let detail = Message::new("detail-too-slow").with("ms", timeout.as_millis().to_string());
    Problem::new(&TOO_SLOW, detail)
}
