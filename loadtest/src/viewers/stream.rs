//! The stream of one viewer, from the connection to its end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

use crate::http::chunks::{BodyProgress, ChunkDecoder};
use crate::http::endpoint::ByteStream;
use crate::http::reply::{Length, parse_head};
use crate::lock::lock;
use crate::viewers::audience::{Audience, Viewer};
use crate::viewers::sse::EventParser;

/// An open stream of one viewer.
pub(crate) struct EventStream {
    socket: ByteStream,
    chunks: Option<ChunkDecoder>,
    events: EventParser,
    opened_us: u64,
    /// The number of frames so far. The first one holds the state at the time of the connection, so
    /// its delay is not measured.
    frames: u64,
}

impl Audience {
    /// Connects, and reads up to the end of the reply's head.
    pub(crate) async fn open(&self, viewer: &Viewer) -> io::Result<EventStream> {
        let opened_us = self.config.clock.now_us();
        // Send the request. A reconnect says which version the viewer has.
        let mut socket = self.config.endpoint.connect().await?;
        let request = &self.config.request;
        match viewer.version {
            None => socket.write_all(request).await?,
            Some(version) => {
                let mut again = request[..request.len() - 2].to_vec();
                again.extend_from_slice(format!("last-event-id: {version}\r\n\r\n").as_bytes());
                socket.write_all(&again).await?;
            }
        }
        socket.flush().await?;
        let mut stream = EventStream {
            socket,
            chunks: None,
            events: EventParser::default(),
            opened_us,
            frames: 0,
        };
        // Read until the head of the reply is complete.
        let mut head = Vec::new();
        loop {
            self.read(&mut stream.socket, |bytes| head.extend_from_slice(bytes)).await?;
            let parsed = parse_head(&head)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let Some(parsed) = parsed else { continue };
            if parsed.status != 200 {
                lock(&self.stats).refused += 1;
                return Err(io::Error::other(format!("status {}", parsed.status)));
            }
            stream.chunks = (parsed.length == Length::Chunked).then(ChunkDecoder::default);
            if head.len() > parsed.bytes {
                // Bytes behind the head belong to the stream, and are kept as its beginning.
                stream.events = EventParser::default();
                let rest = head.split_off(parsed.bytes);
                return Ok(self.begun(stream, &rest));
            }
            return Ok(stream);
        }
    }

    /// Keeps content that came together with the head, for [`Self::follow`].
    fn begun(&self, mut stream: EventStream, rest: &[u8]) -> EventStream {
        let mut early = Vec::new();
        match &mut stream.chunks {
            Some(chunks) => {
                chunks.feed(rest, |bytes| early.extend_from_slice(bytes));
            }
            None => early.extend_from_slice(rest),
        }
        stream.events.keep(early);
        stream
    }

    /// Reads the stream to its end.
    pub(crate) async fn follow(&self, viewer: &mut Viewer, stream: &mut EventStream, nth: usize) {
        let EventStream { socket, chunks, events, opened_us, frames } = stream;
        let mut take = |bytes: &[u8], heard: bool| {
            let now_us = self.config.clock.now_us();
            if heard {
                self.hear(nth, now_us, bytes.len());
            }
            events.feed(bytes, |event| {
                if self.see(viewer, &event, now_us, *opened_us, *frames, nth) {
                    *frames += 1;
                }
            });
        };
        take(&[], false); // bytes that came together with the head
        loop {
            let mut goes_on = true;
            let read = self.read(socket, |bytes| match chunks {
                Some(chunks) => {
                    let progress = chunks.feed(bytes, |content| take(content, true));
                    goes_on = progress == BodyProgress::Incomplete;
                }
                None => take(bytes, true),
            });
            if read.await.is_err() || !goes_on {
                return;
            }
        }
    }

    /// Waits for bytes, and passes them to `each` out of the shared buffer.
    async fn read(&self, socket: &mut ByteStream, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        poll_fn(|cx| {
            let mut buffer = self.buffer.borrow_mut();
            let mut filled = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut filled))?;
            if filled.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            each(filled.filled());
            Poll::Ready(Ok(()))
        })
        .await
    }
}
