//! The parts between hyper and a connection: socket, body of a request, body of a reply. They note in the
//! connection's account where it stands, and keep buffers small.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connections::Lease;

/// Most bytes of a reply that hyper copies at a time. hyper holds up to 16 KiB and one such piece.
const PIECE_BYTES_MAX: usize = 8 * 1024;

/// A socket that notes what was received, and whether the client reads.
pub(super) struct Socket {
    stream: TcpStream,
    /// Bytes that were read from the socket before hyper got it.
    unread: Bytes,
    lease: Arc<Lease>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, unread: Bytes, lease: Arc<Lease>) -> Self {
        Self { stream, unread, lease }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn received(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.lease.slot.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(length));
            self.received(length);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.received(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        let blocked = &self.lease.slot.blocked;
        match &outcome {
            Poll::Pending => blocked.store(true, Ordering::Relaxed),
            Poll::Ready(_) if blocked.load(Ordering::Relaxed) => {
                blocked.store(false, Ordering::Relaxed);
                self.lease.touch();
            }
            Poll::Ready(_) => {}
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of a request, which notes when all of it has arrived or nobody wants it any more.
pub(super) struct Arriving {
    body: Incoming,
    lease: Arc<Lease>,
}

impl Arriving {
    pub(super) fn new(body: Incoming, lease: Arc<Lease>) -> Self {
        Self { body, lease }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.lease.slot.body_open.store(false, Ordering::Relaxed);
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a reply in pieces. hyper would copy a large piece as a whole, once for each client.
pub(super) struct Pieces<B> {
    body: B,
    rest: Bytes,
}

impl<B> Pieces<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.rest = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.remaining().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = self.body.size_hint();
        let mut sum = SizeHint::new();
        sum.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            sum.set_upper(upper + rest);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn a_large_reply_is_sent_in_pieces_and_stays_whole() {
        let whole = Bytes::from(vec![7_u8; 3 * PIECE_BYTES_MAX + 5]);
        let mut pieces = Pieces::new(Full::new(whole.clone()));
        assert_eq!(pieces.size_hint().exact(), Some(whole.len() as u64));
        let mut got = Vec::new();
        while let Some(frame) = pieces.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES_MAX);
            got.extend_from_slice(&piece);
            let left = (whole.len() - got.len()) as u64;
            assert_eq!(pieces.size_hint().exact(), Some(left));
        }
        assert_eq!(got, whole);
        assert!(pieces.is_end_stream());
    }
}
