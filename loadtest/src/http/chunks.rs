//! Decodes bodies in the chunked transfer encoding (RFC 9112, section 7.1).

/// A decoder that is fed with the bytes of a body as they come. The content does not depend on how
/// they are cut.
#[derive(Debug, Default)]
pub(crate) struct ChunkDecoder {
    state: State,
}

/// How far a body has been decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyProgress {
    /// More bytes of the body must follow.
    Incomplete,
    /// The last chunk and the trailer have been read.
    Complete,
    /// The bytes are not chunks.
    Malformed,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the size line of a chunk.
    #[default]
    Size,
    /// Within a size line: the number so far, and whether its digits have ended.
    SizeDigits { size: u64, over: bool },
    /// Within the data of a chunk: the number of bytes that are left.
    Data(u64),
    /// Behind the data: the number of bytes of the line break that are still to come.
    AfterData(u8),
    /// Behind the last chunk, in the trailer: the number of bytes in the current line so far.
    Trailer(u64),
    /// Behind the empty line that ends the body.
    Complete,
    /// The bytes so far are not chunks.
    Malformed,
}

impl ChunkDecoder {
    /// Reads `bytes` and passes each stretch of content among them to `each`.
    ///
    /// Bytes behind the end of the body are ignored.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> BodyProgress {
        while let Some((first, rest)) = bytes.split_first() {
            self.state = match self.state {
                State::Data(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    each(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    match left - taken as u64 {
                        0 => State::AfterData(2),
                        left => State::Data(left),
                    }
                }
                State::Complete | State::Malformed => break,
                state => {
                    bytes = rest;
                    step(state, *first).unwrap_or(State::Malformed)
                }
            };
        }
        match self.state {
            State::Complete => BodyProgress::Complete,
            State::Malformed => BodyProgress::Malformed,
            _ => BodyProgress::Incomplete,
        }
    }
}

/// Reads one byte outside of the data; `None` if it cannot stand there.
fn step(state: State, byte: u8) -> Option<State> {
    let (size, over) = match state {
        State::AfterData(1) => return (byte == b'\n').then_some(State::Size),
        State::AfterData(left) => return (byte == b'\r').then_some(State::AfterData(left - 1)),
        State::Trailer(length) => {
            return Some(match byte {
                b'\n' if length == 0 => State::Complete,
                b'\n' => State::Trailer(0),
                b'\r' => State::Trailer(length),
                _ => State::Trailer(length + 1),
            });
        }
        State::SizeDigits { size, over } => (size, over),
        _ => (0, false),
    };
    match byte {
        b'\n' if size == 0 => Some(State::Trailer(0)),
        b'\n' => Some(State::Data(size)),
        b'\r' | b';' => Some(State::SizeDigits { size, over: true }),
        _ if over => Some(State::SizeDigits { size, over }),
        digit => {
            let digit = char::from(digit).to_digit(16)?;
            let size = size.checked_mul(16)?.checked_add(u64::from(digit))?;
            Some(State::SizeDigits { size, over })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_do_not_depend_on_how_the_bytes_are_cut() {
        let encoded = b"5\r\nhello\r\n1A;ext=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        for cut in 0..encoded.len() {
            let (mut chunks, mut got) = (ChunkDecoder::default(), Vec::new());
            let mut progress = BodyProgress::Incomplete;
            for part in [&encoded[..cut], &encoded[cut..]] {
                progress = chunks.feed(part, |bytes| got.extend_from_slice(bytes));
            }
            assert_eq!(got, b"helloabcdefghijklmnopqrstuvwxyz", "{cut}");
            assert_eq!(progress, BodyProgress::Complete, "{cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_chunks_end_the_stream() {
        assert_eq!(ChunkDecoder::default().feed(b"hello\r\n", |_| {}), BodyProgress::Malformed);
    }
}
