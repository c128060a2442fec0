//! Who casts a ballot in a poll with voting codes, and what its browser learns.
//!
//! Invariant: a code alone shows nothing. The choices of a used code are shown only to the browser that cast the ballot:
//! one with a cookie of that voter, or the very page that sent it.

use votestream_schema::code::Code;
use votestream_schema::idempotency::{IdempotencyKey, page_tag};
use votestream_schema::poll::now_ms;
use votestream_schema::submission::Submission;
use votestream_schema::voter::KeyRing;
use votestream_schema::{BallotId, Choices, Poll, VoterId};
use votestream_service::problem::Problem;
use warp::http::{HeaderMap, HeaderValue};

use crate::client::{Client, PageSite};
use crate::identity::{self, CodeVoter, CookiePlace, cookie_kind};
use crate::problems::{BAD_CODE, CODE_USED, TOO_MANY_WRONG_CODES};

/// The voter of a ballot in a poll with voting codes, and what the request brought beside the choices.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByCode {
    /// The voter: that of the code, or else of the cookie.
    pub(super) voter: VoterId,
    /// Whether a cookie of the request names this voter.
    pub(super) has_cookie: bool,
    /// The page that sent the ballot, by its voting token.
    page: Option<VoterId>,
    /// Whether the voter asked to be remembered, or was before.
    remember: bool,
    client: Client,
}

impl ByCode {
    /// Reads the voter of a ballot. A cookie takes the place of the code if the voter asked for that; where votes cannot
    /// be changed, any cookie does, because it can only repeat the vote.
    ///
    /// # Errors
    /// Returns the problem that there is no code, or none of the right form.
    pub(super) fn read(
        keys: &KeyRing,
        poll: &Poll,
        submission: &Submission,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let now_s = now_ms() / 1_000;
        let known = identity::read_code_voter(keys, poll, headers, now_s, cookie_kind(client));
        let token = submission.token();
        let page = token.and_then(|token| identity::read_token(keys, poll, token, now_s).ok());
        let by_code = |voter, known: Option<CodeVoter>| Self {
            voter,
            has_cookie: known.is_some(),
            page,
            remember: submission.remember || known.is_some_and(|known| known.is_remembered),
            client,
        };
        match (submission.code(), known) {
            (Some(code), known) => {
                let voter = Code::parse(code).ok_or_else(bad_code)?.voter(poll.id);
                Ok(by_code(voter, known.filter(|known| known.voter == voter)))
            }
            (None, Some(known)) if known.is_remembered || !poll.vote_policy.replaces() => {
                Ok(by_code(known.voter, Some(known)))
            }
            (None, Some(_)) => Err(code_again()),
            (None, None) => Err(no_code()),
        }
    }

    /// Makes the id of the ballot: one with the same tag for a ballot that is sent again.
    pub(super) fn ballot(self, key: Option<&IdempotencyKey>, choices: Choices) -> BallotId {
        match (key, self.page) {
            (Some(key), _) => key.ballot(self.voter),
            (None, Some(page)) => BallotId::with_tag(page_tag(page, self.voter, choices)),
            (None, None) => BallotId::new(),
        }
    }

    /// Whether the client may learn that this voter's ballot with these choices and this tag stands: it has the voter's
    /// cookie, or is the page that sent that ballot.
    pub(super) fn may_see(self, choices: Choices, tag: u32) -> bool {
        self.has_cookie || self.page.is_some_and(|page| page_tag(page, self.voter, choices) == tag)
    }

    /// Returns the cookies of a browser that is known to have cast the vote.
    pub(super) fn cookies(self, keys: &KeyRing, poll: &Poll, path: &str) -> Vec<HeaderValue> {
        let Self { voter, client, remember, .. } = self;
        if client.page == PageSite::AllowedNavigation {
            // With a form of another site the browser withholds our cookies (SameSite=Lax). Do not overwrite them.
            return Vec::new();
        }
        let now_s = now_ms() / 1_000;
        let place = CookiePlace { kind: cookie_kind(client), path };
        identity::set_code_cookies(keys, poll, voter, remember, now_s, place).into()
    }
}

/// The person to whom a page of a poll with voting codes is shown, by its cookies alone.
pub(super) struct CodeVisitor {
    /// The voter whom a cookie names.
    pub(super) voter: Option<VoterId>,
    /// Whether that cookie takes the place of the code.
    pub(super) is_remembered: bool,
    /// The cookie to set again.
    pub(super) cookie: Option<HeaderValue>,
    /// The voting token of the page.
    pub(super) token: String,
    /// What the token names: the page, and no voter.
    pub(super) page: VoterId,
}

impl CodeVisitor {
    /// Identifies the person; cookies that are set again go to `place`.
    pub(super) fn read(
        keys: &KeyRing,
        poll: &Poll,
        place: CookiePlace,
        headers: &HeaderMap,
    ) -> Self {
        let now_s = now_ms() / 1_000;
        let known = identity::read_code_voter(keys, poll, headers, now_s, place.kind);
        let renewed = known.filter(|known| known.renew).map(|known| {
            let CodeVoter { voter, is_remembered, .. } = known;
            let [set, _] =
                identity::set_code_cookies(keys, poll, voter, is_remembered, now_s, place);
            set
        });
        let page = VoterId::new();
        Self {
            voter: known.map(|known| known.voter),
            is_remembered: known.is_some_and(|known| known.is_remembered),
            cookie: renewed,
            token: identity::token(keys, poll, page, now_s),
            page,
        }
    }
}

/// Whether a ballot was refused because its code is wrong.
pub(super) fn is_wrong_code(submission: &Submission, problem: &Problem) -> bool {
    problem.kind.name == BAD_CODE.name && submission.code().is_some()
}

pub(super) fn bad_code() -> Problem {
    let detail = "this code is not recognised; compare it with your invitation, letter by letter: XXXX-XXXX-XXXX-XXXX";
    Problem::new(&BAD_CODE, detail)
}

fn no_code() -> Problem {
    let detail =
        "enter your voting code, of the form XXXX-XXXX-XXXX-XXXX; it came with your invitation";
    Problem::new(&BAD_CODE, detail)
}

fn code_again() -> Problem {
    let detail = "type your voting code again to change your vote";
    Problem::new(&BAD_CODE, detail)
}

pub(super) fn code_used() -> Problem {
    let detail = "this code has been used, and its ballot is stored; only the browser that cast it shows the choices";
    Problem::new(&CODE_USED, detail)
}

pub(super) fn too_many_wrong_codes() -> Problem {
    let detail = "very many wrong voting codes come from your network; check the code, and try again in a minute";
    Problem::new(&TOO_MANY_WRONG_CODES, detail).retry_after(60)
}
