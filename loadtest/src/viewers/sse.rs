//! Takes an event stream apart as its bytes come: chunked encoding, then server-sent events.
//!
//! Ten thousand of these are held at once, so each keeps nothing while no event is half here.
//! Invariant: however the bytes are cut, the same events come out.

/// One event; borrowed from the bytes that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ServerEvent<'a> {
    /// Its name; empty for a comment or a bare `retry:`.
    pub(crate) name: &'a str,
    /// Its id as a number: the tally's version.
    pub(crate) version: Option<u64>,
    /// The (single) data line.
    pub(crate) data: &'a [u8],
    /// How long to wait before a reconnect, ms.
    pub(crate) retry_ms: Option<u64>,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    partial: Vec<u8>,
}

/// An event larger than this is none of ours.
const EVENT_BYTES_MAX: usize = 1 << 20;

impl EventParser {
    /// Takes in bytes and hands out every event they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(ServerEvent<'_>)) {
        if !self.partial.is_empty() {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.hand_out(&whole, &mut each);
        } else {
            self.hand_out(bytes, &mut each);
        }
    }

    /// Keeps bytes that came before anybody listened; the next [`Self::feed`] hands their events out.
    pub(crate) fn keep(&mut self, early: Vec<u8>) {
        self.partial = early;
    }

    fn hand_out(&mut self, mut bytes: &[u8], each: &mut impl FnMut(ServerEvent<'_>)) {
        while let Some(end) = find_end(bytes) {
            each(parse(&bytes[..end]));
            bytes = &bytes[end..];
        }
        if !bytes.is_empty() && bytes.len() < EVENT_BYTES_MAX {
            self.partial = bytes.to_vec();
        }
    }
}

/// Where the first event ends, its blank line included.
fn find_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\n\n").map(|at| at + 2)
}

fn parse(block: &[u8]) -> ServerEvent<'_> {
    let mut event = ServerEvent::default();
    for line in block.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = || std::str::from_utf8(value).unwrap_or_default().trim();
        match &line[..colon] {
            b"event" => event.name = text(),
            b"id" => event.version = text().parse().ok(),
            b"data" => event.data = value,
            b"retry" => event.retry_ms = text().parse().ok(),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"retry: 1500\n\nevent: tally\nid: 7\ndata: {\"voters\":3}\n\n: \n\nevent: hidden\ndata: {}\n\n";

    type Seen = (String, Option<u64>, Vec<u8>, Option<u64>);

    fn seen(event: ServerEvent<'_>) -> Seen {
        (event.name.to_owned(), event.version, event.data.to_vec(), event.retry_ms)
    }

    fn expected() -> Vec<Seen> {
        vec![
            (String::new(), None, vec![], Some(1500)),
            ("tally".into(), Some(7), b"{\"voters\":3}".to_vec(), None),
            (String::new(), None, vec![], None),
            ("hidden".into(), None, b"{}".to_vec(), None),
        ]
    }

    #[test]
    fn events_do_not_depend_on_how_the_bytes_are_cut() {
        for cut in 1..STREAM.len() {
            for second in cut..STREAM.len() {
                let (mut events, mut got) = (EventParser::default(), Vec::new());
                for part in [&STREAM[..cut], &STREAM[cut..second], &STREAM[second..]] {
                    events.feed(part, |event| got.push(seen(event)));
                }
                assert_eq!(got, expected(), "{cut} {second}");
                assert!(events.partial.is_empty());
            }
        }
    }
}
