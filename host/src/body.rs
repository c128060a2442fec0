//! Reads request bodies, which are bounded in bytes. The listener bounds their time: a body has a least rate.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use votestream_service::language::Message;
use votestream_service::problem::Problem;
use warp::{Filter, Rejection};

/// The largest body, in bytes: a poll with 63 options whose labels are as long as they may be, and some room.
const BYTES_MAX: usize = 256 * 1024;

/// Bytes beyond that limit that are read and thrown away, so that the client sees the reply that names the limit.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// Returns the filter that reads a body, or describes the problem with it.
pub(crate) fn bounded()
-> impl Filter<Extract = (Result<Bytes, Problem>,), Error = Rejection> + Clone {
    warp::body::stream().then(collect)
}

async fn collect(
    stream: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<Bytes, Problem> {
    let mut stream = std::pin::pin!(stream);
    let (mut body, mut received) = (BytesMut::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::malformed(Message::new("detail-ended-early")))?;
        received += chunk.remaining();
        if received > BYTES_MAX + DISCARDED_BYTES_MAX {
            break;
        }
        if received <= BYTES_MAX {
            body.put(chunk);
        }
    }
    if received > BYTES_MAX { Err(Problem::too_large(BYTES_MAX)) } else { Ok(body.freeze()) }
}
