//! The path in front of all addresses of a service that shares its host with others (BASE_PATH).
//!
//! Requests reach the routes without it, so routes, metrics and spans are the same in every deployment. A request that never
//! had it is served all the same: proxies that remove it themselves work as well, and so do probes that come without a proxy.
//!
//! Invariant: whatever a reply sends a browser to has the base path in front. [`BasePath::join`] is the one place that
//! puts it there; scripts find it in their own address.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use warp::http::Uri;
use warp::http::uri::PathAndQuery;

/// The path in front of all addresses of a service: empty, or of the form `/vote`, without a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

/// Why a text is no base path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path in front of all addresses: write it as /vote, of letters, digits and the characters - . _ ~ /"
)]
pub struct NoBasePath(String);

impl FromStr for BasePath {
    type Err = NoBasePath;

    fn from_str(text: &str) -> Result<Self, NoBasePath> {
        let path = text.trim_end_matches('/');
        let Some(inner) = path.strip_prefix('/') else {
            return if path.is_empty() {
                Ok(Self::default())
            } else {
                Err(NoBasePath(text.into()))
            };
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(is_plain)
        };
        match inner.split('/').all(is_segment) {
            true => Ok(Self(path.into())),
            false => Err(NoBasePath(text.into())),
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BasePath {
    /// Whether there is none, as in most deployments.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the base path in front of a path of this service, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        [&*self.0, path].concat()
    }

    /// The path below which browsers send the cookies of this service.
    pub fn of_cookies(&self) -> &str {
        if self.is_empty() { "/" } else { &self.0 }
    }

    /// Returns the address without the base path, if it has it.
    pub(crate) fn removed_from(&self, uri: &Uri) -> Option<Uri> {
        if self.is_empty() {
            return None;
        }
        let whole = uri.path_and_query()?.as_str();
        let rest = whole.strip_prefix(&*self.0)?;
        let rest = match rest.as_bytes().first() {
            Some(b'/') => PathAndQuery::try_from(rest),
            // The base path itself is the first page.
            None | Some(b'?') => PathAndQuery::try_from(["/", rest].concat()),
            // Another name, which only begins with the same letters.
            Some(_) => return None,
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(rest.ok()?);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_taken() {
        for (text, path) in
            [("", ""), ("/", ""), ("/vote", "/vote"), ("/vote/", "/vote"), ("/a/b-1", "/a/b-1")]
        {
            assert_eq!(text.parse::<BasePath>().unwrap().to_string(), path);
        }
        for other in
            ["vote", "/a//b", "/..", "/a/./b", "/a b", "/a;b", "/%61", "/a?b", "https://a/b", "/é"]
        {
            let told = other.parse::<BasePath>().unwrap_err().to_string();
            assert!(told.contains(other), "{told}");
        }
    }

    #[test]
    fn requests_lose_the_base_path_and_nothing_else() {
        let base: BasePath = "/vote".parse().unwrap();
        let rest = |uri: &str| Some(base.removed_from(&uri.parse().unwrap())?.to_string());
        for (uri, expected) in [
            ("/vote", "/"),
            ("/vote/", "/"),
            ("/vote?option=cats", "/?option=cats"),
            ("/vote/polls/pets?a=/vote", "/polls/pets?a=/vote"),
            ("/vote/vote/x", "/vote/x"),
            ("/vote//x", "//x"),
        ] {
            assert_eq!(rest(uri).as_deref(), Some(expected), "{uri}");
        }
        for uri in ["/", "/polls/vote", "/voters", "/vote%2fpolls", "/Vote/"] {
            assert_eq!(rest(uri), None, "{uri}");
        }
        assert_eq!(BasePath::default().removed_from(&"/vote".parse().unwrap()), None);
    }

    #[test]
    fn addresses_and_cookies_begin_with_it() {
        let base: BasePath = "/vote/".parse().unwrap();
        assert_eq!((base.join("/polls/x").as_str(), base.of_cookies()), ("/vote/polls/x", "/vote"));
        let none = BasePath::default();
        assert_eq!((none.join("/polls/x").as_str(), none.of_cookies()), ("/polls/x", "/"));
    }
}
