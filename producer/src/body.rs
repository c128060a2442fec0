//! Request bodies, within bounds of size and time.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::{Filter, Rejection};

/// The largest body, in bytes: 63 slugs of 63 characters and some room.
pub const BYTES_MAX: usize = 16 * 1024;

/// The filter that reads a body, or says what is wrong with it.
pub fn bounded(
    timeout: Duration,
) -> impl Filter<Extract = (Result<Bytes, Problem>,), Error = Rejection> + Clone {
    warp::body::stream().then(move |stream| async move {
        match tokio::time::timeout(timeout, collect(stream)).await {
            Ok(body) => body,
            Err(_) => Err(too_slow(timeout)),
        }
    })
}

async fn collect(
    stream: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Bytes, Problem> {
    tokio::pin!(stream);
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|_| Problem::malformed("the body ended too early"))?;
        if body.len() + chunk.remaining() > BYTES_MAX {
            return Err(Problem::too_large(BYTES_MAX));
        }
        while chunk.has_remaining() {
            let part = chunk.chunk();
            body.extend_from_slice(part);
            let length = part.len();
            chunk.advance(length);
        }
    }
    Ok(body.freeze())
}

fn too_slow(timeout: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} ms", timeout.as_millis());
    Problem::new("too-slow", StatusCode::REQUEST_TIMEOUT, "Too slow", detail)
}
