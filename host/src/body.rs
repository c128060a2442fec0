//! Reads request bodies, which are bounded in bytes. The listener bounds their time: a body has a least rate.

use std::convert::Infallible;

use bytes::Bytes;
use votestream_service::problem::Problem;
use warp::Filter;

/// The largest body, in bytes: a poll with 63 options whose labels are as long as they may be, and some room.
pub(crate) const BYTES_MAX: usize = 256 * 1024;

/// Returns the filter that reads a body, or describes the problem with it.
pub(crate) fn bounded()
-> impl Filter<Extract = (Result<Bytes, Problem>,), Error = Infallible> + Clone {
    let read = warp::body::content_length_limit(BYTES_MAX as u64).and(warp::body::bytes()).map(Ok);
    let too_large = warp::any().map(|| {
        let detail = format!("a request has a Content-Length, of {BYTES_MAX} bytes at most");
        Err(Problem::malformed(detail))
    });
    read.or(too_large).unify()
}
