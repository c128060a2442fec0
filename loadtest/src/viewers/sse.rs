//! Parses server-sent events as their bytes come.
//!
//! Ten thousand parsers are held at once, so each keeps nothing between two events.
//! Invariant: the events do not depend on how the bytes are cut.

/// One event, borrowed from the bytes that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ServerEvent<'a> {
    /// The event's name; empty for a comment or a bare `retry:`.
    pub(crate) name: &'a str,
    /// The event's id as a number, which is the version of the tally.
    pub(crate) version: Option<u64>,
    /// The data line. There is at most one.
    pub(crate) data: &'a [u8],
    /// How long to wait before a reconnect, in ms.
    pub(crate) retry_ms: Option<u64>,
}

/// A parser that keeps an event until its last byte has come.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    partial: Vec<u8>,
}

/// Larger events are dropped, because the dashboard sends none.
const EVENT_BYTES_MAX: usize = 1 << 20;

impl EventParser {
    /// Reads `bytes`, and passes every event that they complete to `each`.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(ServerEvent<'_>)) {
        if !self.partial.is_empty() {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            self.hand_out(&whole, &mut each);
        } else {
            self.hand_out(bytes, &mut each);
        }
    }

    /// Keeps bytes that came before [`Self::feed`] was first called. That call passes their events
    /// on.
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

/// Returns the end of the first event, with its blank line.
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
