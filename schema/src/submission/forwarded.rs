//! Reads the headers in which proxies name the client and the host that it asked for: `X-Forwarded-For`, `X-Forwarded-Host`
//! and `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address from which it was reached at the end, so the headers are read from the right. A client may
//! have invented everything left of what our own proxies wrote.
//!
//! Invariant: an address that cannot be read is never skipped. It is [`None`], and the caller decides what that means.

use std::borrow::Cow;
use std::net::IpAddr;

/// Reads the addresses of all lines of `X-Forwarded-For`, from the right. A line with invalid bytes still ends with what
/// our proxy wrote.
pub fn x_forwarded_for<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = Option<IpAddr>> + use<'a> {
    let lines: Vec<Cow<'a, str>> =
        lines.iter().rev().map(|line| String::from_utf8_lossy(line)).collect();
    lines.into_iter().flat_map(|line| line.rsplit(',').map(address).collect::<Vec<_>>())
}

/// One element of `Forwarded`: what one proxy says of the request that reached it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The address from which the proxy was reached; `None` if it does not say so, or in no form that can be read.
    pub address: Option<IpAddr>,
    /// Whether it was reached through TLS.
    pub is_https: bool,
    /// The host that it was asked for, perhaps with a port; `None` if it does not say so, or in no form that can be read.
    pub host: Option<String>,
}

/// Reads the elements of all lines of `Forwarded`, from the right.
pub fn forwarded(lines: &[&[u8]]) -> Vec<Element> {
    let lines = lines.iter().rev().map(|line| String::from_utf8_lossy(line));
    lines.flat_map(|line| elements(&line)).collect()
}

/// The elements of one line, from the right. Behind a quotation mark that is never closed nothing can be told apart, so the
/// last element then says nothing: a client that invents one hides its address, and is not believed to be another one.
fn elements(line: &str) -> Vec<Element> {
    let (parts, is_open) = split_unquoted(line, ',');
    let mut elements: Vec<Element> = parts.into_iter().map(element).collect();
    if is_open {
        elements.pop();
        elements.push(Element::default());
    }
    elements.reverse();
    elements
}

fn element(text: &str) -> Element {
    let mut element = Element::default();
    for pair in split_unquoted(text, ';').0 {
        let Some((name, value)) = pair.split_once('=') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => element.address = address(value),
            "proto" => element.is_https = unquoted(value).eq_ignore_ascii_case("https"),
            "host" => element.host = host(unquoted(value)),
            _ => {}
        }
    }
    element
}

/// Returns the host that the client asked the first proxy for, as the lines of `X-Forwarded-Host` say, or else the elements of
/// `Forwarded`. Only a trusted proxy may be asked for it: then the first word is that of the outermost one, as with
/// `X-Forwarded-Proto`.
pub fn forwarded_host(x_forwarded_host: &[&[u8]], elements: &[Element]) -> Option<String> {
    match x_forwarded_host.first() {
        Some(line) => host(std::str::from_utf8(line).ok()?.split(',').next()?),
        None => elements.last()?.host.clone(),
    }
}

/// Reads a host name or address, perhaps with a port: letters, digits and the characters `-.:[]`.
pub fn host(text: &str) -> Option<String> {
    let text = text.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    let is_host = (1..=255).contains(&text.len()) && text.bytes().all(is_plain);
    is_host.then(|| text.to_owned())
}

/// Splits a text at a separator that stands outside of quotation marks. Also returns whether one stays open.
fn split_unquoted(text: &str, separator: char) -> (Vec<&str>, bool) {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if c == separator && !is_quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (parts, is_quoted)
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Reads an address as proxies write it: alone, with a port, in square brackets, or in quotation marks. An IPv4 address
/// in the form of IPv6 is the IPv4 address.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = unquoted(text);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, port) = rest.split_once(']')?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            is_port.then(|| inner.parse::<std::net::Ipv6Addr>().ok()).flatten()?.into()
        }
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            // Only an IPv4 address can have a port without brackets.
            Err(_) => {
                let (inner, port) = text.rsplit_once(':')?;
                is_port(port).then(|| inner.parse::<std::net::Ipv4Addr>().ok()).flatten()?.into()
            }
        },
    };
    Some(address.to_canonical())
}

/// A port, or an invented name in its place (RFC 7239, section 6.2).
fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = text.len() > 1
        && text.starts_with('_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    is_number || is_name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for text in [
            "203.0.113.200",
            " 203.0.113.200:41000 ",
            "\"203.0.113.200:41000\"",
            "::ffff:203.0.113.200",
        ] {
            assert_eq!(address(text), ip("203.0.113.200"), "{text}");
        }
        for text in
            ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "\"[2001:db8::1]:_hidden\""]
        {
            assert_eq!(address(text), ip("2001:db8::1"), "{text}");
        }
        let bad = [
            "",
            " ",
            "unknown",
            "_hidden",
            "unix:",
            "203.0.113.200:",
            "203.0.113.200:123456",
            "203.0.113.200:x",
            "[203.0.113.200]:80",
            "[2001:db8::1",
            "[2001:db8::1]x",
            "2001:db8::1%eth0",
            "203.0.113",
            "\"203.0.113.200",
        ];
        for text in bad {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn x_forwarded_for_is_read_from_the_right() {
        let hops = |lines: &[&[u8]]| x_forwarded_for(lines).collect::<Vec<_>>();
        assert_eq!(
            hops(&[b"1.1.1.1, x", b"2.2.2.2:80,3.3.3.3"]),
            [ip("3.3.3.3"), ip("2.2.2.2"), None, ip("1.1.1.1")]
        );
        assert_eq!(hops(&[b"\xff, 1.1.1.1"])[0], ip("1.1.1.1"));
        assert_eq!(hops(&[b""]), [None]);
        assert_eq!(hops(&[b"1.1.1.1,"])[0], None);
        assert_eq!(hops(&[]), []);
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_says() {
        let read = |line: &str| forwarded(&[line.as_bytes()]);
        let element = |address, is_https| Element { address, is_https, host: None };
        assert_eq!(
            read("for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";by=203.0.113.43;Proto=HTTPS"),
            [element(ip("2001:db8:cafe::17"), true), element(ip("192.0.2.43"), false)]
        );
        assert_eq!(read("for=unknown"), [Element::default()]);
        assert_eq!(read("proto=\"https\""), [element(None, true)]);
        assert_eq!(
            read("for=_gazonk, for=\"a,b;c\\\"\", for=1.1.1.1")[0],
            element(ip("1.1.1.1"), false)
        );
        assert_eq!(
            read("for=\"evil, for=1.1.1.1"),
            [Element::default()],
            "the quotation mark is open"
        );
        assert_eq!(read("for=9.9.9.9;x=\", for=1.1.1.1;proto=https"), [Element::default()]);
        assert_eq!(read("for=9.9.9.9;x=\", for=\"[::1]:80\";by=\"x\"")[0], Element::default());
        assert_eq!(read(""), [Element::default()]);
        let host = |line: &str| read(line)[0].host.clone();
        assert_eq!(
            host("for=1.1.1.1;Host=\"vote.example:8443\"").as_deref(),
            Some("vote.example:8443")
        );
        for line in ["for=1.1.1.1", "host=", "host=\"a/b\"", "host=a@b"] {
            assert_eq!(host(line), None, "{line}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_outermost_proxy() {
        let elements = forwarded(&[b"for=1.1.1.1;host=outer.example, for=10.0.0.1;host=inner"]);
        let host = |lines: &[&[u8]]| forwarded_host(lines, &elements);
        assert_eq!(host(&[]).as_deref(), Some("outer.example"));
        assert_eq!(host(&[b"vote.example:81, inner"]).as_deref(), Some("vote.example:81"));
        for line in [&b""[..], b"a/b", b"a b, c", b"\xff"] {
            assert_eq!(host(&[line]), None);
        }
    }
}
