//! Request bodies, within bounds of size and time.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::{Filter, Rejection};

/// The largest body, in bytes: 63 slugs of 63 characters and some room.
pub const BYTES_MAX: usize = 16 * 1024;

/// How much more than that is read and thrown away, in bytes. A connection that is closed while its
/// client still sends is reset, and the client never sees what was wrong.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// The filter that reads a body, or says what is wrong with it.
pub fn bounded(
    timeout: Duration,
) -> impl Filter<Extract = (Result<Bytes, Problem>,), Error = Rejection> + Clone {
    warp::body::stream().then(move |stream| async move {
        let mut collecting = std::pin::pin!(collect(stream));
        // Most bodies come with their heads: those need no timer.
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
    let mut body = BytesMut::new();
    let mut received = 0;
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|_| Problem::malformed("the body ended too early"))?;
        received += chunk.remaining();
        if received > BYTES_MAX + DISCARDED_BYTES_MAX {
            break;
        }
        if received > BYTES_MAX {
            continue;
        }
        while chunk.has_remaining() {
            let part = chunk.chunk();
            body.extend_from_slice(part);
            let length = part.len();
            chunk.advance(length);
        }
    }
    if received > BYTES_MAX { Err(Problem::too_large(BYTES_MAX)) } else { Ok(body.freeze()) }
}

fn too_slow(timeout: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} ms", timeout.as_millis());
    Problem::new("too-slow", StatusCode::REQUEST_TIMEOUT, "Too slow", detail)
}
