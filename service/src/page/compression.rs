//! Compresses pages for clients that read gzip. Static files are compressed once, in [`super::static_files`].
//!
//! A page holds a secret of its reader (the voting token), and the length of compressed text says whether two parts of it are
//! alike (the attack called BREACH). So only a page that repeats nothing of its request may be compressed: the page for a GET. The
//! address of such a page marks options and chooses a language, both from lists of ours; the reply to a form, which repeats a
//! typed code, is sent as it is.

use std::cell::RefCell;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use warp::http::{HeaderMap, HeaderValue, header};

/// A level at which a page costs about a tenth of a millisecond; the best one makes it 3 % smaller.
const LEVEL: u32 = 5;
/// The head of a gzip file without name and time (RFC 1952, section 2.3).
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Room for head, checksum, and for a text that cannot be compressed.
const ROOM_BYTES: usize = 128;

thread_local! {
    /// The compressor has tables of some 300 KiB, so each thread keeps its own.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(LEVEL), false));
}

/// Returns the text as a gzip file; `None` if it would not become shorter.
pub(super) fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(text.len()).ok()?;
    let mut file = Vec::with_capacity(text.len() + ROOM_BYTES);
    file.extend_from_slice(&GZIP_HEAD);
    let done = COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        compressor.compress_vec(text, &mut file, FlushCompress::Finish)
    });
    if !matches!(done, Ok(Status::StreamEnd)) {
        return None;
    }
    let mut checksum = Crc::new();
    checksum.update(text);
    file.extend_from_slice(&checksum.sum().to_le_bytes());
    file.extend_from_slice(&length.to_le_bytes());
    (file.len() < text.len()).then_some(file)
}

/// Whether the client's `Accept-Encoding` names this encoding, and not to forbid it.
pub(super) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().any(|value| allows(value, encoding))
}

fn allows(value: &HeaderValue, encoding: &str) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(',').any(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight =
            parameters.trim().strip_prefix("q=").map(|weight| weight.trim().parse::<f32>());
        let is_forbidden = weight.is_some_and(|weight| weight.is_ok_and(|weight| weight <= 0.0));
        name.trim().eq_ignore_ascii_case(encoding) && !is_forbidden
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_text_is_read_back_and_a_short_one_is_left_alone() {
        let long = "<p>A sentence of a page.</p>".repeat(4_000);
        for text in ["<p>Cats</p>".repeat(20).as_bytes(), long.as_bytes(), &[b'x'; 300]] {
            let mut back = Vec::new();
            let file = gzip(text).unwrap();
            flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut back).unwrap();
            assert!(back == text && file.len() * 3 < text.len(), "{} bytes", file.len());
        }
        assert_eq!(gzip(b"<p>"), None);
    }

    proptest::proptest! {
        #[test]
        fn bytes_without_any_pattern_are_read_back_or_left_alone(bytes in proptest::collection::vec(0_u8.., 0..40_000)) {
            if let Some(file) = gzip(&bytes) {
                let mut back = Vec::new();
                flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut back).unwrap();
                assert_eq!(back, bytes);
            }
        }
    }
}
