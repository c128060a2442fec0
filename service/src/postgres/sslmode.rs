//! Reads `sslmode` in a Postgres address, with the meanings that libpq documents.
//!
//! | sslmode | encrypted | check of the server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `allow`, `prefer` (the default) | if the server can | none |
//! | `require` | yes | none |
//! | `verify-ca` | yes | signed by a trusted authority |
//! | `verify-full` | yes | as `verify-ca`, and issued to the host of the address |
//!
//! With a file of certificate authorities, `allow`, `prefer` and `require` check the certificate like
//! `verify-ca`. Two things differ from libpq: `allow` begins with TLS, like `prefer`; and after a
//! refused certificate there is no second attempt without TLS.

use crate::tls::Verification;

/// A value of `sslmode`; see the table of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// A value of `sslmode` that libpq does not know either, cut to 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown sslmode `{0}`: use one of disable, allow, prefer, require, verify-ca, verify-full"
)]
pub(crate) struct Unknown(String);

impl SslMode {
    /// Takes the mode out of an address, either `postgres://…?sslmode=…` or `key=value …`, and puts
    /// one in its place that tokio-postgres knows: it decides only whether TLS is spoken.
    pub(crate) fn of(address: &str) -> Result<(Self, String), Unknown> {
        let mut mode = Self::Prefer;
        let is_url = address.contains("://");
        // In a URL only the query holds parameters. The part before it may hold any password.
        let start = if is_url { address.find('?').map_or(address.len(), |at| at + 1) } else { 0 };
        let separator = if is_url { '&' } else { ' ' };
        let (head, parameters) = address.split_at(start);
        let mut text = head.to_owned();
        for (position, parameter) in parameters.split(separator).enumerate() {
            if position > 0 {
                text.push(separator);
            }
            match parameter.strip_prefix("sslmode=") {
                Some(value) => {
                    mode = Self::parse(value.trim_matches('\''))?;
                    text.push_str("sslmode=");
                    text.push_str(mode.for_driver());
                }
                None => text.push_str(parameter),
            }
        }
        Ok((mode, text))
    }

    fn parse(value: &str) -> Result<Self, Unknown> {
        Ok(match value {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            other => return Err(Unknown(other.chars().take(32).collect())),
        })
    }

    fn for_driver(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow | Self::Prefer => "prefer",
            Self::Require | Self::VerifyCa | Self::VerifyFull => "require",
        }
    }

    /// Returns how the server's certificate is checked, depending on whether there is a file of
    /// certificate authorities.
    pub(crate) fn verification(self, has_ca_file: bool) -> Verification {
        match self {
            Self::VerifyFull => Verification::Full,
            Self::VerifyCa => Verification::Authority,
            Self::Allow | Self::Prefer | Self::Require if has_ca_file => Verification::Authority,
            _ => Verification::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_found_wherever_it_stands_and_nowhere_else() {
        let of = |address: &str| SslMode::of(address).map(|(mode, text)| (mode, text.clone()));
        let found = |mode, text: &str| Ok((mode, text.to_owned()));
        assert_eq!(of("postgres://h/d"), found(SslMode::Prefer, "postgres://h/d"));
        assert_eq!(
            of("postgres://h/d?sslmode=verify-full"),
            found(SslMode::VerifyFull, "postgres://h/d?sslmode=require")
        );
        assert_eq!(
            of("postgres://h/d?a=b&sslmode=verify-ca&c=d"),
            found(SslMode::VerifyCa, "postgres://h/d?a=b&sslmode=require&c=d")
        );
        assert_eq!(
            of("host=h sslmode='allow' user=u"),
            found(SslMode::Allow, "host=h sslmode=prefer user=u")
        );
        // A password that looks like a mode is left alone.
        let odd = "postgres://u:sslmode=verify-full@h/d?sslmode=disable";
        assert_eq!(of(odd), found(SslMode::Disable, odd));
    }

    #[test]
    fn an_unknown_mode_is_named() {
        let error = SslMode::of("postgres://u:hunter2@h/d?sslmode=verify").unwrap_err().to_string();
        assert!(error.contains("`verify`") && error.contains("verify-full"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
