//! Composes the requests of voters.
//!
//! The parts that are the same for all ballots are composed once per run.

use std::cell::RefCell;
use std::io::Write as _;

use crate::http::endpoint::Endpoint;
use crate::http::request::USER_AGENT;
use crate::poll::Poll;
use crate::voters::crowd::Voter;

/// The requests of the voters of one worker.
pub(crate) struct Requests {
    ballot_head: Vec<u8>,
    form_head: Vec<u8>,
    page_head: Vec<u8>,
    slugs: Vec<String>,
    /// The body under construction. It is kept because its memory is reused.
    body: RefCell<Vec<u8>>,
}

impl Requests {
    /// Composes the parts that are the same for all ballots.
    pub(crate) fn new(endpoint: &Endpoint, poll: &Poll) -> Self {
        let Endpoint { target, host, headers, .. } = endpoint;
        let head = |method: &str, path: &str, more: &str| {
            let path = format!("{}{}{path}", endpoint.origin(), target.base);
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\n{headers}{more}"
            )
            .into_bytes()
        };
        let slug = &poll.slug;
        Self {
            ballot_head: head(
                "POST",
                &format!("/api/polls/{slug}/ballots"),
                "content-type: application/json\r\n",
            ),
            form_head: head(
                "POST",
                &format!("/polls/{slug}"),
                "content-type: application/x-www-form-urlencoded\r\naccept: text/html\r\n",
            ),
            page_head: head("GET", &format!("/polls/{slug}"), "accept: text/html\r\n"),
            slugs: poll.options.iter().map(|option| option.slug.clone()).collect(),
            body: RefCell::default(),
        }
    }

    /// Composes a ballot with these choices in `out`, and with the solution of a challenge, if there is one. A form has
    /// none: without scripts, nobody solves a challenge.
    pub(crate) fn ballot(
        &self,
        out: &mut Vec<u8>,
        voter: &Voter,
        choices: u64,
        code: Option<&str>,
        solution: Option<&str>,
    ) {
        let mut body = self.body.borrow_mut();
        body.clear();
        let (head, written) = if voter.form {
            (&self.form_head, self.write_form(&mut body, choices, code))
        } else {
            (&self.ballot_head, self.write_json(&mut body, choices, code, solution))
        };
        written.expect("writing to memory cannot fail");
        finish(out, head, voter, &body);
    }

    /// Composes a request for the ballot page in `out`.
    pub(crate) fn page(&self, out: &mut Vec<u8>, voter: &Voter) {
        out.clear();
        out.extend_from_slice(&self.page_head);
        write_cookie(out, voter);
        out.extend_from_slice(b"\r\n");
    }

    /// Composes a request in `out` that is no valid ballot. There are [`RUBBISH`] kinds of them.
    pub(crate) fn rubbish(&self, out: &mut Vec<u8>, voter: &Voter) {
        let long = format!(r#"{{"choices":["{}"]}}"#, "x".repeat(300));
        let body: &[u8] = match voter.number % RUBBISH {
            0 => br#"{"choices":["no-such-option"]}"#,
            1 => br#"{"choices":"#,
            2 => br#"{"choices":[]}"#,
            3 => b"\xff\xfe\x00{}",
            4 => br#"{"choices":["\u0000"]}"#,
            5 => b"",
            6 => long.as_bytes(),
            _ => br#"["choices"]"#,
        };
        finish(out, &self.ballot_head, voter, body);
    }

    fn write_json(
        &self,
        out: &mut Vec<u8>,
        choices: u64,
        code: Option<&str>,
        solution: Option<&str>,
    ) -> std::io::Result<()> {
        out.write_all(br#"{"choices":["#)?;
        for (nth, slug) in self.chosen(choices).enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            write!(out, "{comma}\"{slug}\"")?;
        }
        out.write_all(b"]")?;
        for (name, text) in [("code", code), ("solution", solution)] {
            if let Some(text) = text {
                write!(out, ",\"{name}\":{}", serde_json::to_string(text)?)?;
            }
        }
        out.write_all(b"}")
    }

    fn write_form(
        &self,
        out: &mut Vec<u8>,
        choices: u64,
        code: Option<&str>,
    ) -> std::io::Result<()> {
        for (nth, slug) in self.chosen(choices).enumerate() {
            let and = if nth > 0 { "&" } else { "" };
            write!(out, "{and}vote={slug}")?;
        }
        if let Some(code) = code {
            out.write_all(b"&code=")?;
            for byte in code.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                        out.write_all(&[byte])?;
                    }
                    other => write!(out, "%{other:02X}")?,
                }
            }
        }
        Ok(())
    }

    fn chosen(&self, choices: u64) -> impl Iterator<Item = &str> {
        let chosen = self.slugs.iter().enumerate().filter(move |(at, _)| choices & (1 << at) != 0);
        chosen.map(|(_, slug)| slug.as_str())
    }
}

/// The number of kinds of invalid ballots.
pub(crate) const RUBBISH: u64 = 8;

fn finish(out: &mut Vec<u8>, head: &[u8], voter: &Voter, body: &[u8]) {
    out.clear();
    out.extend_from_slice(head);
    write_cookie(out, voter);
    out.extend_from_slice(b"content-length: ");
    write_decimal(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

fn write_cookie(out: &mut Vec<u8>, voter: &Voter) {
    if let Some(cookie) = &voter.cookie {
        out.extend_from_slice(b"cookie: ");
        out.extend_from_slice(cookie.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn write_decimal(out: &mut Vec<u8>, number: usize) {
    write!(out, "{number}").expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::addresses::Addresses;
    use crate::http::target::Target;
    use crate::poll::{VotePolicy, sample};
    use crate::voters::crowd::Crowd;
    use crate::voters::mix::Mix;
    use crate::voters::weights::Weights;

    fn voter(number: u64) -> Voter {
        let poll = std::sync::Arc::new(sample(&["cats", "dogs"], 2, VotePolicy::KeepFirst));
        let weights = Weights::parse(None, &poll).unwrap();
        Crowd { seed: 1, mix: Mix::default(), weights, poll, codes: None, cookies: None }
            .voter(number)
    }

    async fn requests<const N: usize>(headers: [(&str, &str); N]) -> Requests {
        let poll = sample(&["cats", "dogs"], 2, VotePolicy::KeepFirst);
        let target = Target::parse("http://127.0.0.1:8080/a").unwrap();
        let addresses = Addresses::of(&target, &[], &[]).await.unwrap();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let time_max = std::time::Duration::from_secs(1);
        let endpoint =
            Endpoint::new(target, addresses, None, headers.as_slice(), time_max).unwrap();
        Requests::new(&endpoint, &poll)
    }

    #[tokio::test]
    async fn json_ballot_is_golden() {
        let mut out = Vec::new();
        let voter = Voter { cookie: Some("voter=v1.x".into()), ..voter(0) };
        requests([]).await.ballot(&mut out, &voter, 0b11, Some("a\"b"), Some("w1.1f"));
        let body = r#"{"choices":["cats","dogs"],"code":"a\"b","solution":"w1.1f"}"#;
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(
            "POST /a/api/polls/cats-vs-dogs/ballots HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"
        ));
        assert!(text.ends_with(&format!(
            "\r\ncookie: voter=v1.x\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )));
    }

    #[tokio::test]
    async fn further_headers_go_with_every_request() {
        let requests = requests([("Host", "vote.example"), ("x-team", "one")]).await;
        let (mut ballot, mut page) = (Vec::new(), Vec::new());
        requests.ballot(&mut ballot, &voter(0), 1, None, None);
        requests.page(&mut page, &voter(0));
        for request in [ballot, page] {
            let text = String::from_utf8(request).unwrap();
            assert!(text.contains("\r\nhost: vote.example\r\n"), "{text}");
            assert!(text.contains("\r\nx-team: one\r\n") && !text.contains("127.0.0.1"), "{text}");
        }
    }

    #[tokio::test]
    async fn form_ballot_repeats_the_field() {
        let mut out = Vec::new();
        requests([]).await.ballot(
            &mut out,
            &Voter { form: true, ..voter(0) },
            0b11,
            Some("a b"),
            None,
        );
        assert!(
            String::from_utf8(out).unwrap().ends_with("\r\n\r\nvote=cats&vote=dogs&code=a%20b")
        );
    }

    #[tokio::test]
    async fn every_kind_of_rubbish_is_well_formed_http() {
        for number in 0..RUBBISH {
            let mut out = Vec::new();
            requests([]).await.rubbish(&mut out, &voter(number));
            let mut headers = [httparse::EMPTY_HEADER; 8];
            assert!(httparse::Request::new(&mut headers).parse(&out).unwrap().is_complete());
        }
    }
}
