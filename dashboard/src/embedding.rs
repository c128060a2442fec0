//! Which other sites may show results in a frame (EMBED_ORIGINS).

use std::fmt;
use std::str::FromStr;

use warp::http::{HeaderValue, header};
use warp::reply::Response;

/// The origin of a site whose pages may hold a frame with results: `https://www.example`, or `https://*.example` for all
/// names below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedOrigin(String);

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: write https://www.example, with a port if it has one, and without a path"
)]
pub struct NoOrigin(String);

impl FromStr for EmbedOrigin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.map(|host| host.strip_prefix("*.").unwrap_or(host));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(is_plain) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NoOrigin(text.to_owned())),
        }
    }
}

impl fmt::Display for EmbedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule for browsers which sites may frame a page.
#[derive(Clone, Debug)]
pub(crate) struct Embedding {
    ancestors: String,
}

impl Embedding {
    /// Allows these sites, and no other.
    pub(crate) fn new(origins: &[EmbedOrigin]) -> Self {
        let names: Vec<String> = origins.iter().map(ToString::to_string).collect();
        let none = || "'none'".to_owned();
        Self { ancestors: if names.is_empty() { none() } else { names.join(" ") } }
    }

    /// Lets the sites frame this page, which otherwise nobody may.
    pub(crate) fn allow(&self, mut page: Response) -> Response {
        let name = header::CONTENT_SECURITY_POLICY;
        let policy = page.headers().get(&name).and_then(|policy| policy.to_str().ok());
        let rule = format!("frame-ancestors {}", self.ancestors);
        let policy = policy.unwrap_or_default().replace("frame-ancestors 'none'", &rule);
        if let Ok(policy) = HeaderValue::try_from(policy) {
            page.headers_mut().insert(name, policy);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_taken() {
        for origin in ["https://www.example", "http://localhost:3000", "https://*.example"] {
            assert_eq!(origin.parse::<EmbedOrigin>().unwrap().to_string(), origin);
        }
        for other in
            ["*", "https://", "www.example", "https://a.example/x", "https://a b", "https://a;x"]
        {
            let told = other.parse::<EmbedOrigin>().unwrap_err().to_string();
            assert!(told.contains(other), "{told}");
        }
    }
}
