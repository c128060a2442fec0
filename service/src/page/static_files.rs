//! Serves the static files of a service: compressed once, at addresses that hold a hash of their content.
//!
//! An address with the hash of the file as it is now may be cached for good, one without a hash for five minutes. While
//! replicas of two releases run, a page of one asks the other for its files: an address with another hash is answered with the
//! file as it is now, which no cache keeps. The hash stands in the query, which replicas that know no hashes ignore.

use std::borrow::Cow;
use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use warp::http::{HeaderMap, HeaderValue, header};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::http::{RequestTimer, SCRIPT_POLICY, cacheable, timed};
use crate::listener::{Head, head};
use crate::problem::Problem;

use super::compression::accepts;
use super::trimming::trimmed;

/// A static file: its path under `/static/`, its content type, its bytes.
pub type Asset = (&'static str, &'static str, &'static [u8]);

/// For a name that changes with the content.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For an address that is meant for other content.
const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-cache");
/// The path of all files.
const FOLDER: &str = "/static/";
/// The number of hexadecimal digits of a hash in an address.
const HASH_DIGITS: usize = 12;
/// The largest share of its size, in percent, that a file may keep for its compressed form to be served.
const WORTH_PERCENT: usize = 95;

/// All static files of a service.
#[derive(Debug)]
pub struct StaticFiles {
    files: Vec<File>,
}

/// One file in all its forms.
#[derive(Debug)]
struct File {
    name: &'static str,
    /// The address with the hash: `/static/NAME?v=HASH`.
    path: String,
    content_type: &'static str,
    plain: Bytes,
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
}

impl StaticFiles {
    /// Makes the addresses of the files, and compresses them. Style sheets and scripts lose their comments. In a script, the names
    /// of other scripts (`'./NAME'`) get their hashes. They stay relative to the script, so they are right below every base path.
    ///
    /// # Panics
    /// Panics if two scripts import each other, because no hash could then be computed.
    pub fn new(assets: &[Asset]) -> Self {
        let mut all = Self { files: Vec::with_capacity(assets.len()) };
        for asset in assets {
            all.add(asset, assets, 0);
        }
        all
    }

    /// The address of a file, with its hash; empty for a name that is none.
    pub fn path(&self, name: &str) -> &str {
        self.get(name).map_or("", |file| &file.path)
    }

    /// Returns the reply with the file of this name, in the best form that `headers` accept. `query` is that of the address: a
    /// hash, or empty.
    pub fn reply(&self, name: &str, query: &str, headers: &HeaderMap) -> Option<Response> {
        let file = self.get(name)?;
        let brotli = file.brotli.as_ref().filter(|_| accepts(headers, "br"));
        let gzip = || file.gzip.as_ref().filter(|_| accepts(headers, "gzip"));
        let compressed =
            brotli.map(|bytes| ("br", bytes)).or_else(|| gzip().map(|bytes| ("gzip", bytes)));
        let (encoding, bytes) = compressed.unwrap_or(("", &file.plain));

        let mut response = cacheable(file.content_type, bytes.clone());
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !encoding.is_empty() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let current = file.path.split_once('?').map(|(_, query)| query);
        if current == Some(query) {
            headers.insert(header::CACHE_CONTROL, FOR_GOOD);
        } else if !query.is_empty() {
            headers.insert(header::CACHE_CONTROL, NOT_AT_ALL);
        }
        if is_script(file.name) {
            let policy = HeaderValue::from_static(SCRIPT_POLICY);
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        Some(response)
    }

    fn get(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Adds a file after all that it imports. `depth` is the number of scripts that import each other before it.
    fn add(&mut self, (name, content_type, bytes): &Asset, assets: &[Asset], depth: usize) {
        if self.get(name).is_some() {
            return;
        }
        assert!(depth <= assets.len(), "{name} and another script import each other");
        let mut content = Cow::Borrowed(*bytes);
        if is_script(name) || name.ends_with(".css") {
            let text = std::str::from_utf8(bytes).expect("style sheets and scripts are UTF-8");
            let mut text = trimmed(text).into_owned();
            let imported = assets.iter().filter(|other| is_script(name) && is_script(other.0));
            for other in imported {
                let plain = format!("'./{}'", other.0);
                if text.contains(&plain) {
                    self.add(other, assets, depth + 1);
                    let path = self.path(other.0);
                    let path = path.strip_prefix(FOLDER).unwrap_or(path);
                    let named = format!("'./{path}'");
                    text = text.replace(&plain, &named);
                }
            }
            content = Cow::Owned(text.into_bytes());
        }
        let plain = Bytes::from(content.into_owned());
        self.files.push(File {
            name,
            path: format!("{FOLDER}{name}?v={}", hash(&plain)),
            content_type,
            gzip: worthwhile(gzip(&plain), &plain),
            brotli: worthwhile(brotli(&plain), &plain),
            plain,
        });
    }
}

/// Routes `/static/{file}` and `/favicon.ico` to these files.
pub fn static_files(
    files: &'static LazyLock<StaticFiles>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    // Compress now, not during the first request.
    LazyLock::force(files);
    let read = warp::get().or(warp::head()).unify();
    let icon = warp::path!("favicon.ico").map(|| "favicon.ico".to_owned());
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path!("static" / String)
        .or(icon)
        .unify()
        .and(read)
        .and(timed("static"))
        .and(head())
        .and(query)
        .map(|name: String, timer: RequestTimer, head: Head, query: String| {
            let found = files.reply(&name, &query, &head.headers);
            timer.stop(found.unwrap_or_else(|| Problem::not_found().into_response()))
        })
}

fn is_script(name: &str) -> bool {
    name.ends_with(".js")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(HASH_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

fn worthwhile(compressed: Vec<u8>, plain: &[u8]) -> Option<Bytes> {
    (compressed.len() * 100 < plain.len() * WORTH_PERCENT).then(|| compressed.into())
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes all bytes")
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    // The best compression, and a window that holds every file of ours. A program that is built without optimisation would take
    // a second for it at each start.
    let (quality, window_bits) = (if cfg!(debug_assertions) { 5 } else { 11 }, 18);
    let mut compressed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut compressed, 4_096, quality, window_bits);
    encoder.write_all(plain).expect("memory takes all bytes");
    drop(encoder);
    compressed
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const LONG: &[u8] =
        b"p { color: red } p { color: red } p { color: red } p { color: red } p { color: red }\n";
    const ASSETS: &[Asset] = &[
        ("a.js", "text/javascript", b"import { b } from './b.js';\n"),
        ("b.js", "text/javascript", b"export const b = 1;\n"),
        ("long.css", "text/css", LONG),
    ];

    fn accepting(encodings: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings))])
    }

    #[test]
    fn a_script_imports_others_by_the_addresses_with_their_hashes() {
        let files = StaticFiles::new(ASSETS);
        let script = files.get("a.js").unwrap();
        let named = files.path("b.js").strip_prefix("/static/").unwrap();
        let expected = format!("import {{ b }} from './{named}';\n");
        assert_eq!(script.plain, expected.as_bytes());
        // A change of what it imports changes its own name, too.
        let changed =
            StaticFiles::new(&[ASSETS[0], ("b.js", "text/javascript", b"export const b = 2;\n")]);
        assert_ne!(files.path("a.js"), changed.path("a.js"));
    }

    #[test]
    fn only_the_present_hash_is_kept_for_good() {
        let files = StaticFiles::new(ASSETS);
        let caching = |name: &str, query: &str| {
            let reply = files.reply(name, query, &HeaderMap::new())?;
            Some(reply.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned())
        };
        let present = files.path("b.js").strip_prefix("/static/b.js?").unwrap();
        let for_good = caching("b.js", present);
        assert_eq!(for_good.as_deref(), Some("public, max-age=31536000, immutable"));
        assert_eq!(caching("b.js", "").as_deref(), Some("public, max-age=300"));
        // A page of another release asks for its own file.
        assert_eq!(caching("b.js", "v=0123456789ab").as_deref(), Some("no-cache"));
        for name in ["c.js", "b.012345678901.js", "", ".", "b", "b.js."] {
            assert_eq!(caching(name, present), None, "{name}");
        }
    }

    #[test]
    fn each_client_gets_the_best_form_that_it_accepts() {
        let files = StaticFiles::new(ASSETS);
        let encoding = |accepted| {
            let reply = files.reply("long.css", "", &accepting(accepted)).unwrap();
            assert_eq!(reply.headers()[header::VARY], "accept-encoding");
            let named = reply.headers().get(header::CONTENT_ENCODING);
            named.map_or(String::new(), |named| named.to_str().unwrap().to_owned())
        };
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("GZIP;q=0.5, br;q=0", "gzip"),
            ("identity", ""),
            ("", ""),
            ("broken;q=br", ""),
        ] {
            assert_eq!(encoding(accepted), expected, "{accepted}");
        }
        let tiny = files.reply("b.js", "", &accepting("br, gzip")).unwrap();
        assert_eq!(tiny.headers().get(header::CONTENT_ENCODING), None, "it would not be smaller");
    }

    #[test]
    fn every_form_holds_the_same_bytes() {
        let files = StaticFiles::new(ASSETS);
        let file = files.get("long.css").unwrap();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&file.gzip.clone().unwrap()[..])
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, LONG);
        text.clear();
        let compressed = file.brotli.clone().unwrap();
        brotli::Decompressor::new(&compressed[..], 4_096).read_to_end(&mut text).unwrap();
        assert_eq!(text, LONG);
    }

    #[test]
    #[should_panic(expected = "import each other")]
    fn scripts_that_import_each_other_are_refused() {
        let _ = StaticFiles::new(&[
            ("a.js", "text/javascript", b"import './b.js';"),
            ("b.js", "text/javascript", b"import './a.js';"),
        ]);
    }
}
