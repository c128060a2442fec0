//! Who casts a ballot in a poll with voting codes, and what its browser learns.
//!
//! Invariant: a code alone shows nothing. The choices of a used code are shown only to the browser that cast the ballot:
//! one with a cookie of that voter, or the very page that sent it.

use std::net::IpAddr;

use votestream_schema::code::Code;
use votestream_schema::idempotency::{IdempotencyKey, page_tag};
use votestream_schema::poll::now_ms;
use votestream_schema::submission::Submission;
use votestream_schema::{BallotId, Choices, Poll, VoterId};
use votestream_service::problem::Problem;
use warp::http::{HeaderMap, HeaderValue};

use super::{CastResult, Caster, Visitor, VotingService, already_voted, cookie_kind, not_blank};
use crate::client::{Client, PageSite};
use crate::identity::{self, CodeVoter, TokenHolder};
use crate::problems::{BAD_CODE, CODE_USED, TOO_MANY_WRONG_CODES};

/// What a request with a voting code, or with the cookie of one, brought beside its choices.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByCode {
    /// The page that sent it, by its voting token.
    page: Option<VoterId>,
    /// Whether the voter asked to be remembered, or was before.
    remember: bool,
    /// How the client's cookies travel and whether it keeps them.
    client: Client,
}

impl ByCode {
    /// Makes the id of the ballot: the same ones for a ballot that is sent again.
    pub(super) fn ballot(
        self,
        key: Option<&IdempotencyKey>,
        voter: VoterId,
        choices: Choices,
    ) -> BallotId {
        match (key, self.page) {
            (Some(key), _) => key.ballot(voter),
            (None, Some(page)) => BallotId::with_tag(page_tag(page, voter, choices)),
            (None, None) => BallotId::new(),
        }
    }

    /// Whether the ballot with this tag and these choices came from the page that sends this one.
    fn is_of_this_page(self, voter: VoterId, choices: Choices, tag: u32) -> bool {
        self.page.is_some_and(|page| page_tag(page, voter, choices) == tag)
    }
}

impl VotingService {
    /// Returns the voter in a poll with voting codes, or the refusal of the ballot. A cookie takes the place of the code
    /// if the voter asked for that; where votes cannot be changed, any cookie does, because it can only repeat the vote.
    pub(super) fn caster_by_code(
        &self,
        poll: &Poll,
        submission: &Submission,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<Caster, Box<CastResult>> {
        let refuse = |problem| Box::new(CastResult::refused(problem));
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        let known = identity::read_code_voter(&keys, poll, headers, now_s, cookie_kind(client));
        let token = not_blank(&submission.token);
        let page = token.and_then(|token| identity::read_token(&keys, poll, token, now_s).ok());
        let caster = |voter, known: Option<CodeVoter>| Caster {
            voter,
            has_cookie: known.is_some(),
            cookies: Vec::new(),
            by_code: Some(ByCode {
                page: page.map(|page| page.voter),
                remember: submission.remember || known.is_some_and(|known| known.is_remembered),
                client,
            }),
        };
        match (not_blank(&submission.code), known) {
            (Some(code), known) => {
                let code = Code::parse(code).ok_or_else(|| refuse(bad_code()))?;
                let voter = code.voter(poll.id);
                Ok(caster(voter, known.filter(|known| known.voter == voter)))
            }
            (None, Some(known)) if known.is_remembered || !poll.vote_policy.replaces() => {
                Ok(caster(known.voter, Some(known)))
            }
            (None, Some(_)) => Err(refuse(code_again())),
            (None, None) => Err(refuse(bad_code())),
        }
    }

    /// Identifies the voter whom a page of a poll with voting codes is shown to, by its cookies alone.
    pub(super) fn visitor_by_code(
        &self,
        poll: &Poll,
        client: Client,
        headers: &HeaderMap,
    ) -> Visitor {
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        let kind = cookie_kind(client);
        let known = identity::read_code_voter(&keys, poll, headers, now_s, kind);
        let renewed =
            known.filter(|known| known.renew).map(|CodeVoter { voter, is_remembered, .. }| {
                let [set, _] =
                    identity::set_code_cookies(&keys, poll, voter, is_remembered, now_s, kind);
                set
            });
        let page = TokenHolder { voter: VoterId::new(), has_passed_limit: true };
        Visitor {
            voter: known.map(|known| known.voter),
            cookie: renewed,
            token: Some(identity::token(&keys, poll, page, now_s)),
            is_remembered: known.is_some_and(|known| known.is_remembered),
        }
    }

    /// Returns the cookies of a browser that is known to have cast a vote.
    pub(super) fn code_cookies(
        &self,
        poll: &Poll,
        voter: VoterId,
        by_code: ByCode,
    ) -> Vec<HeaderValue> {
        let ByCode { client, remember, .. } = by_code;
        if client.page == PageSite::AllowedNavigation {
            // With a form of another site the browser withholds our cookies (SameSite=Lax). Do not overwrite them.
            return Vec::new();
        }
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        let kind = cookie_kind(client);
        identity::set_code_cookies(&keys, poll, voter, remember, now_s, kind).into()
    }

    /// Returns the refusal of a ballot whose voter has voted before, with these choices.
    pub(super) fn refused_by_code(
        &self,
        poll: &Poll,
        caster: &Caster,
        by_code: ByCode,
        (choices, tag): (Choices, u32),
    ) -> CastResult {
        let voter = caster.voter;
        if !caster.has_cookie && !by_code.is_of_this_page(voter, choices, tag) {
            return CastResult::refused(code_used());
        }
        CastResult {
            outcome: Err(already_voted(poll, choices)),
            cookies: self.code_cookies(poll, voter, by_code),
            voter: Some(voter),
            has_cookie: caster.has_cookie,
        }
    }

    /// Holds back the answer to a wrong code, if many came from the client's network; refuses it if too many are held
    /// back already.
    pub(super) async fn slow_down(
        &self,
        submission: &Submission,
        address: IpAddr,
        cast: CastResult,
    ) -> CastResult {
        let is_wrong_code = |problem: &Problem| {
            problem.kind.name == BAD_CODE.name && not_blank(&submission.code).is_some()
        };
        if !cast.outcome.as_ref().is_err_and(is_wrong_code) {
            return cast;
        }
        if self.wrong_codes.hold_back(address).await {
            return cast;
        }
        let detail = "very many wrong voting codes come from your network; check the code, and try again in a minute";
        CastResult::refused(Problem::new(&TOO_MANY_WRONG_CODES, detail).retry_after(60))
    }

    /// Returns the cookies that make this browser nobody in a poll with voting codes. In other polls there are none: a
    /// browser that is forgotten could vote again.
    pub(crate) fn forget(
        &self,
        poll: &Poll,
        client: Client,
        headers: &HeaderMap,
    ) -> Vec<HeaderValue> {
        if !poll.voter_policy.needs_code() || client.page != PageSite::Own {
            return Vec::new();
        }
        identity::forget(&self.cookie_keys.ring(), poll, headers)
    }
}

pub(super) fn bad_code() -> Problem {
    let detail = "this poll needs a valid voting code, of the form XXXX-XXXX-XXXX-XXXX";
    Problem::new(&BAD_CODE, detail)
}

fn code_again() -> Problem {
    let detail = "type your voting code again to change your vote";
    Problem::new(&BAD_CODE, detail)
}

fn code_used() -> Problem {
    let detail = "this code has been used, and its ballot is stored; only the browser that cast it shows the choices";
    Problem::new(&CODE_USED, detail)
}
