//! Decides on ballots: everything between a parsed request and its verdict.
//!
//! This module knows polls, voters and the register, and knows nothing of HTML or JSON.

mod by_code;
mod challenged;
pub(crate) mod wrong_codes;

use std::sync::{Arc, LazyLock};

use votestream_schema::idempotency::IdempotencyKey;
use votestream_schema::poll::short_code::ShortCode;
use votestream_schema::poll::{InvalidChoice, VoterPolicy, now_ms, rfc3339};
use votestream_schema::submission::Submission;
use votestream_schema::voter::{self, Identity};
use votestream_schema::{Ballot, BallotId, Choices, EntryId, Poll, PollState, VoterId, VoterKey};
use votestream_service::http::BasePath;
use votestream_service::language::Message;
use votestream_service::listener::{Head, PeerAddr};
use votestream_service::metric::CounterHandle;
use votestream_service::problem::{Problem, UNKNOWN_POLL};
use votestream_service::redis::Pool;
use votestream_service::trace::{self, Span};
use votestream_transparency::receipt::Receipt;
use warp::http::{HeaderMap, HeaderValue};

use crate::catalog::Catalog;
use crate::catalog::followers::Followers;
use crate::challenge::{Challenged, Challenges, Refused};
use crate::client::{Client, PageSite, Source, Trust};
use crate::cookie_keys::CookieKeys;
use crate::durability::DurabilityStatus;
use crate::identity::{self, CookiePlace, cookie_kind};
use crate::metrics;
use crate::networks::{NetworkLimits, Refusal};
use crate::problems::{
    ALREADY_VOTED, CROSS_SITE, INVALID_CHOICE, KEY_REUSED, NO_RECEIPT, NOT_OPEN,
    TOO_MANY_NEW_VOTERS,
};
use crate::publisher::Publisher;
use crate::receipts::{Receipts, Signed, Stored};
use crate::register::{Register, Registration, StandingReply, Verdict};
use by_code::{ByCode, CodeVisitor};
use challenged::LetIn;
use wrong_codes::WrongCodes;

/// Everything that handlers need to show a poll and to register a ballot; one per process.
pub(crate) struct VotingService {
    /// This replica's copy of the polls.
    pub(crate) catalog: Catalog,
    /// The states of all polls, and the pages that follow them.
    pub(crate) followers: Followers,
    /// Stores ballots in Redis.
    pub(crate) publisher: Publisher,
    /// Whether Redis stores ballots as durably as configured.
    pub(crate) durability: DurabilityStatus,
    /// Limits new voters per client network.
    pub(crate) networks: Arc<NetworkLimits>,
    /// Asks new voters to solve a challenge.
    pub(crate) challenges: Arc<Challenges>,
    /// Slows down networks that send wrong voting codes.
    pub(crate) wrong_codes: Arc<WrongCodes>,
    /// Decides which headers of a request are believed.
    pub(crate) trust: Trust,
    /// Keys that sign voter cookies.
    pub(crate) cookie_keys: CookieKeys,
    /// Signs receipts.
    pub(crate) receipts: Receipts,
    /// Reads standing votes, for pages.
    pub(crate) register: Register,
    /// Connections that pages share; ballots use those of the publisher.
    pub(crate) pool: Pool,
    /// The deployment's number of partitions.
    pub(crate) partitions: u16,
    /// Slug of the poll shown at `/`.
    pub(crate) default_poll: String,
    /// The path in front of all addresses.
    pub(crate) base: BasePath,
    /// Address of the dashboard, which the ballot page links to.
    pub(crate) results_url: Option<String>,
}

/// A ballot that Redis has stored.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) entry: EntryId,
    pub(crate) choices: Choices,
    /// The promise for the voter, if it was asked for and the poll has a public log.
    pub(crate) signed: Option<Signed>,
}

/// The outcome of one ballot, and the cookies to set with either outcome.
pub(crate) struct CastResult {
    pub(crate) outcome: Result<Accepted, Problem>,
    pub(crate) cookies: Vec<HeaderValue>,
    /// The voter of the ballot; `None` if it was refused before that was known, or if the client must not learn more of
    /// this voter.
    pub(crate) voter: Option<VoterId>,
    /// Whether a cookie of the request named the voter.
    pub(crate) has_cookie: bool,
}

/// What is known of the vote of the person to whom a page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// These choices stand.
    Stands(Choices),
    /// The register has no vote of this person.
    None,
    /// The register could not be read now.
    Unknown,
    /// The poll is over, and its register has been removed.
    NotKept,
}

impl Standing {
    /// The choices that stand, if they are known.
    pub(crate) fn choices(self) -> Option<Choices> {
        if let Self::Stands(choices) = self { Some(choices) } else { None }
    }

    /// The word for programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stands(_) => "stands",
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::NotKept => "not_kept",
        }
    }
}

/// The person to whom a page is shown.
#[derive(Default)]
pub(crate) struct Visitor {
    /// The known voter: from a cookie of the request, or from the ballot or token that it brought.
    pub(crate) voter: Option<VoterId>,
    /// The cookie to set: that of a new voter, or a renewed one.
    pub(crate) cookie: Option<HeaderValue>,
    /// The voting token of the page. In a poll with voting codes it names the page and no voter.
    pub(crate) token: Option<String>,
    /// Whether a cookie takes the place of the voting code.
    pub(crate) is_remembered: bool,
    /// Whom the order of the options follows, known or new. In a poll with voting codes it is the page before somebody has
    /// voted.
    pub(crate) order_of: Option<VoterId>,
}

/// The voter of a ballot.
struct Caster {
    voter: VoterId,
    /// The cookies to set, whatever becomes of the ballot.
    cookies: Vec<HeaderValue>,
    has_cookie: bool,
    /// Set in polls with voting codes.
    by_code: Option<ByCode>,
}

impl Caster {
    /// The voter of a poll without voting codes.
    fn open(voter: VoterId, cookie: Option<HeaderValue>, has_cookie: bool) -> Self {
        Self { voter, cookies: cookie.into_iter().collect(), has_cookie, by_code: None }
    }

    /// The result of the ballot. Of a refused ballot with a voting code, the client learns nothing that its cookies do
    /// not say.
    fn result(self, outcome: Result<Accepted, Problem>) -> CastResult {
        let Self { voter, cookies, has_cookie, by_code } = self;
        let shows_voter = by_code.is_none() || has_cookie;
        CastResult { outcome, cookies, voter: shows_voter.then_some(voter), has_cookie }
    }
}

impl CastResult {
    /// The refusal of a ballot whose voter is not known.
    pub(crate) fn refused(problem: Problem) -> Self {
        Self { outcome: Err(problem), cookies: Vec::new(), voter: None, has_cookie: false }
    }
}

impl VotingService {
    /// Returns the poll with this slug, or the problem that there is none.
    pub(crate) fn poll(&self, slug: &str) -> Result<Arc<Poll>, Problem> {
        self.catalog.get(slug).ok_or_else(|| {
            if self.catalog.is_loaded() {
                Problem::unknown_poll(slug)
            } else {
                Problem::unavailable(Message::new("detail-polls-unknown"))
            }
        })
    }

    /// Returns the slug of the poll with this short code, as people type it, or the problem that there is none. The code of a
    /// draft leads to the page that waits for it.
    pub(crate) fn slug_of_code(&self, code: &str) -> Result<String, Problem> {
        let id = code.parse::<ShortCode>().ok().map(ShortCode::poll);
        let poll = id.and_then(|id| self.catalog.by_id(id)).map(|poll| poll.slug.to_string());
        poll.or_else(|| self.catalog.draft_by_id(id?)).ok_or_else(|| {
            if self.catalog.is_loaded() {
                let typed: String = code.chars().take(16).collect();
                let detail = Message::new("detail-code-of-screen")
                    .with("code", typed.escape_debug().to_string());
                Problem::new(&UNKNOWN_POLL, detail)
            } else {
                Problem::unavailable(Message::new("detail-polls-unknown"))
            }
        })
    }

    /// Returns address and transport of the client that sent a request.
    pub(crate) fn client(&self, peer: PeerAddr, headers: &HeaderMap) -> Client {
        self.trust.client(peer, headers)
    }

    /// Returns the request's Origin if pages of that origin may use the API.
    pub(crate) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.trust.allowed_origin(headers).cloned()
    }

    /// Asks Redis for the standing vote of a voter; `None` stands for a browser without a known voter.
    pub(crate) async fn standing(&self, poll: &Poll, voter: Option<VoterId>) -> Standing {
        self.standing_entry(poll, voter).await.0
    }

    /// Asks Redis for the standing vote of a voter, and for the stream entry that brought it.
    async fn standing_entry(
        &self,
        poll: &Poll,
        voter: Option<VoterId>,
    ) -> (Standing, Option<(VoterKey, EntryId)>) {
        let is_over = matches!(poll.state(now_ms()), PollState::Closed | PollState::Archived);
        let Some(voter) = voter else { return (Standing::None, None) };
        let Some(voter) = poll.secrecy.keys.key_of(voter) else {
            return (if is_over { Standing::NotKept } else { Standing::Unknown }, None);
        };
        let query = self.register.standing_query(self.partitions, poll.id, voter);
        let Ok(mut connection) = self.pool.get().await else { return (Standing::Unknown, None) };
        let answer: Result<StandingReply, _> = query.query_async(&mut *connection).await;
        match answer {
            Err(error) => {
                tracing::debug!(poll = %poll.slug, %error, "a page does not know its voter's vote");
                (Standing::Unknown, None)
            }
            Ok((Some(text), _)) => match Register::read_standing(&text) {
                Some((choices, entry)) => (Standing::Stands(choices), Some((voter, entry))),
                None => (Standing::Unknown, None),
            },
            Ok((None, was_removed))
                if is_over && (was_removed || poll.archived_at_ms.is_some()) =>
            {
                (Standing::NotKept, None)
            }
            Ok((None, _)) => (Standing::None, None),
        }
    }

    /// The receipt of the vote of the client that sent a request, as JSON, and the poll.
    pub(crate) async fn own_receipt(
        &self,
        slug: &str,
        head: &Head,
    ) -> Result<(Arc<Poll>, Receipt), Problem> {
        let poll = self.poll(slug)?;
        let client = self.client(head.peer, &head.headers);
        let voter = self.visitor(&poll, client, &head.headers).voter;
        let receipt = self.receipt(&poll, voter).await?;
        Ok((poll, receipt))
    }

    /// Makes a receipt of the vote of the person to whom a page is shown, or says why there is none.
    async fn receipt(&self, poll: &Poll, voter: Option<VoterId>) -> Result<Receipt, Problem> {
        if self.receipts.log_of(poll).is_none() {
            return Err(Problem::new(&NO_RECEIPT, Message::new("detail-no-receipts")));
        }
        let (standing, entry) = self.standing_entry(poll, voter).await;
        let receipt = match (standing, entry) {
            (Standing::Stands(choices), Some((voter, entry))) => {
                let stored = Stored { voter, entry, ballot: None, choices };
                self.receipts.of_standing(poll, stored)
            }
            (Standing::Unknown, _) => {
                return Err(Problem::unavailable(Message::new("detail-receipt-unknown")));
            }
            _ => None,
        };
        receipt.ok_or_else(|| Problem::new(&NO_RECEIPT, Message::new("detail-no-vote-here")))
    }

    /// Identifies the voter whom a page is shown to: the voter whom the cookies name, or else a new voter.
    pub(crate) fn visitor(&self, poll: &Poll, client: Client, headers: &HeaderMap) -> Visitor {
        let now_s = now_ms() / 1_000;
        let keys = self.cookie_keys.ring();
        if poll.voter_policy == VoterPolicy::Code {
            let CodeVisitor { voter, is_remembered, cookie, token, page } =
                CodeVisitor::read(&keys, poll, self.place(client), headers);
            let order_of = Some(voter.unwrap_or(page));
            return Visitor { voter, cookie, token: Some(token), is_remembered, order_of };
        }
        let (known, renew) = match identity::read(&keys, poll, headers, now_s, cookie_kind(client))
        {
            Identity::Known { voter, renew } => (Some(voter), renew),
            _ => (None, false),
        };
        let cookie = |voter| self.cookie(poll, voter, now_s, client);
        let voter = known.unwrap_or_default();
        let needs_cookie = renew || known.is_none();
        Visitor {
            voter: known,
            cookie: needs_cookie.then(|| cookie(voter)),
            // A script of another site gets no token of a voter whom the browser's cookie names anyway.
            token: (known.is_none() || client.page != PageSite::AllowedScript)
                .then(|| identity::token(&keys, poll, voter, now_s)),
            is_remembered: false,
            order_of: Some(voter),
        }
    }

    /// Identifies the voter of the page that follows a refused ballot: still the voter of the ballot, if that is
    /// known, or of the page that it came from.
    pub(crate) fn visitor_after(
        &self,
        poll: &Poll,
        ballot_of: Option<VoterId>,
        submission: &Submission,
        client: Client,
        headers: &HeaderMap,
    ) -> Visitor {
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        let given = submission.token.as_deref();
        let by_token = given.and_then(|token| identity::read_token(&keys, poll, token, now_s).ok());
        if poll.voter_policy == VoterPolicy::Code {
            let visitor = self.visitor(poll, client, headers);
            return Visitor { order_of: visitor.voter.or(by_token), ..visitor };
        }
        let Some(voter) = ballot_of.or(by_token) else {
            return self.visitor(poll, client, headers);
        };
        let token = Some(identity::token(&keys, poll, voter, now_s));
        Visitor { voter: Some(voter), token, order_of: Some(voter), ..Visitor::default() }
    }

    /// Registers one ballot and counts its outcome in the metrics. With `wants_receipt` the result has a promise for the voter, if
    /// the poll has a public log.
    pub(crate) async fn cast(
        &self,
        poll: &Poll,
        submission: &Submission,
        peer: PeerAddr,
        headers: &HeaderMap,
        wants_receipt: bool,
    ) -> CastResult {
        let cast = self.cast_unmeasured(poll, submission, peer, headers, wants_receipt).await;
        let cast = match poll.voter_policy {
            VoterPolicy::Code => {
                let source = self.client(peer, headers).source;
                self.slow_down(submission, source, cast).await
            }
            VoterPolicy::Open => cast,
        };
        count(cast.outcome.as_ref().err());
        cast
    }

    async fn cast_unmeasured(
        &self,
        poll: &Poll,
        submission: &Submission,
        peer: PeerAddr,
        headers: &HeaderMap,
        wants_receipt: bool,
    ) -> CastResult {
        // Refuse whatever can be refused without asking Redis.
        let client = self.client(peer, headers);
        if client.page == PageSite::Foreign {
            return CastResult::refused(cross_site());
        }
        if poll.archived_at_ms.is_some() {
            return CastResult::refused(not_open(poll));
        }
        let choices = match poll.choose(submission.choices.iter().map(String::as_str)) {
            Ok(choices) => choices,
            Err(error) => return CastResult::refused(invalid_choice(poll, error)),
        };
        let key = match idempotency_key(headers) {
            Ok(key) => key,
            Err(problem) => return CastResult::refused(problem),
        };
        let caster = self.caster(poll, submission, key.as_ref(), client, headers).await;
        let caster = match caster {
            Ok(caster) => caster,
            Err(refused) => return *refused,
        };
        let (voter, by_code) = (caster.voter, caster.by_code);
        let Some(key_of_voter) = poll.secrecy.keys.key_of(voter) else {
            return caster.result(Err(being_set_up()));
        };
        // Never say yes while Redis is not set up to keep ballots.
        if !self.durability.is_met() {
            let reason = "ballots cannot be stored safely at the moment";
            self.publisher.refusals().not_asked(reason);
            let problem = Problem::unavailable(Message::new("detail-not-safe"));
            return caster.result(Err(problem));
        }
        let let_in = match self.let_in(poll, &caster, submission, client).await {
            Ok(let_in) => let_in,
            Err(problem) => return caster.result(Err(problem)),
        };
        // Register the ballot, in a span that continues the caller's trace.
        let id = match (by_code, key.as_ref()) {
            (Some(by_code), key) => by_code.ballot(key, choices),
            (None, Some(key)) => key.ballot(voter),
            (None, None) => BallotId::new(),
        };
        let ballot = Ballot { poll: poll.id, voter: key_of_voter, id, choices };
        let replaces = poll.vote_policy.replaces();
        let needs_code = poll.voter_policy.needs_code();
        let caller = trace::traceparent(headers);
        let mut span = Span::of_request("cast ballot", caller);
        span.set("votestream.poll", &poll.id);
        // A caller's trace reaches the consumer even while this service records none.
        let trace = if trace::is_on() { span.traceparent() } else { caller.map(str::to_owned) };
        let log = wants_receipt.then(|| self.receipts.log_of(poll)).flatten();
        let registration = Registration { ballot, trace, replaces, needs_code, log };
        let (answer, signed) = self.publisher.publish(registration).await;
        let pass = self.end(let_in, matches!(answer, Ok(Verdict::Accepted(_))));
        // Translate the verdict.
        let outcome = match answer {
            Ok(Verdict::Accepted(entry) | Verdict::AcceptedAgain(entry)) => {
                let trace_id = span.trace_id();
                tracing::debug!(poll = %poll.slug, %entry, trace_id, "ballot accepted");
                span.set("votestream.entry", &entry);
                Ok(Accepted { entry, choices, signed })
            }
            Ok(Verdict::AlreadyVoted { choices, tag, .. }) => match by_code {
                Some(by_code) if !by_code.may_see(choices, tag) => {
                    return CastResult::refused(by_code::code_used());
                }
                _ => Err(already_voted(poll, choices)),
            },
            Ok(Verdict::NotOpen) => Err(not_open(poll)),
            Ok(Verdict::BadCode) => return CastResult::refused(by_code::bad_code()),
            Ok(Verdict::KeyReused) if key.is_some() => Err(key_reused()),
            // Two random ids end alike, once in four thousand million ballots of one voter.
            Ok(Verdict::KeyReused) => Err(not_stored()),
            Ok(Verdict::UnknownPoll) => Err(being_set_up()),
            Ok(Verdict::Full) => {
                Err(Problem::unavailable(Message::new("detail-full")).retry_after(5))
            }
            Err(unavailable) => {
                span.fail("not stored");
                span.set("error.message", &unavailable);
                // The reason names a server, which is of no use to a voter.
                tracing::debug!(poll = %poll.slug, reason = %unavailable, "a ballot was not stored");
                Err(not_stored())
            }
        };
        let outcome = outcome.map_err(|problem| challenged::with_pass(problem, pass.as_ref()));
        // A browser gets the cookie of a code once its vote stands.
        let stands = match &outcome {
            Ok(_) => true,
            Err(problem) => problem.kind.name == ALREADY_VOTED.name,
        };
        let cookies = by_code.filter(|_| stands);
        let path = self.base.of_cookies();
        let cookies = cookies.map(|by_code| by_code.cookies(&self.cookie_keys.ring(), poll, path));
        let result = caster.result(outcome);
        CastResult { cookies: cookies.unwrap_or(result.cookies), ..result }
    }

    /// Returns the voter of a ballot, or the refusal of the ballot. The cookie decides, unless the page's
    /// voting token names another voter who has voted already. Without a cookie the token decides, and without a
    /// token the idempotency key. A ballot with none of them is that of a new voter.
    async fn caster(
        &self,
        poll: &Poll,
        submission: &Submission,
        key: Option<&IdempotencyKey>,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<Caster, Box<CastResult>> {
        if poll.voter_policy == VoterPolicy::Code {
            let keys = self.cookie_keys.ring();
            let by_code = ByCode::read(&keys, poll, submission, client, headers);
            let by_code = by_code.map_err(|problem| Box::new(CastResult::refused(problem)))?;
            let ByCode { voter, has_cookie, .. } = by_code;
            return Ok(Caster { voter, cookies: Vec::new(), has_cookie, by_code: Some(by_code) });
        }
        let refuse = |problem| Box::new(CastResult::refused(problem));
        let (keys, now_s) = (self.cookie_keys.ring(), now_ms() / 1_000);
        let identity = identity::read(&keys, poll, headers, now_s, cookie_kind(client));
        let known = |voter, renew: bool| {
            let cookie = renew.then(|| self.cookie(poll, voter, now_s, client));
            Ok(Caster::open(voter, cookie, true))
        };
        let named = |voter| {
            // With a form of another site the browser withholds our cookie (SameSite=Lax). Do not overwrite it.
            let keeps = client.page != PageSite::AllowedNavigation;
            let cookie = keeps.then(|| self.cookie(poll, voter, now_s, client));
            Ok(Caster::open(voter, cookie, false))
        };
        let token = submission.token().map(|token| identity::read_token(&keys, poll, token, now_s));
        match (identity, token) {
            (Identity::Known { voter, renew }, token) => {
                // The page may have voted by its token before this cookie came from another page.
                if let Some(Ok(of_page)) = token
                    && of_page != voter
                    && self.has_voted(poll, of_page).await
                {
                    return named(of_page);
                }
                known(voter, renew)
            }
            // A cookie that is no longer good does not matter where the page's token names the voter.
            (_, Some(Ok(of_page))) => named(of_page),
            (_, Some(Err(error))) => {
                let detail = Message::new("detail-token").with("reason", reason_of(error));
                Err(refuse(Problem::malformed(detail)))
            }
            (Identity::Invalid(error), None) => {
                let detail = Message::new("detail-cookie").with("reason", reason_of(error));
                let cookies = vec![identity::clear_cookie(&keys, poll, self.place(client))];
                Err(Box::new(CastResult {
                    cookies,
                    ..CastResult::refused(Problem::malformed(detail))
                }))
            }
            // Each visit of another site's page would be a new voter.
            (Identity::New, None) if client.page != PageSite::Own => Err(refuse(needs_token())),
            (Identity::New, None) => {
                let voter = key.map_or_else(VoterId::new, |key| key.voter(poll.id));
                // Whoever learns a key must not become its voter for good.
                let cookie = key.is_none().then(|| self.cookie(poll, voter, now_s, client));
                Ok(Caster::open(voter, cookie, false))
            }
        }
    }

    /// Lets a caster cast a ballot: one who has solved a challenge if that is needed, and whose networks may bring one more
    /// new voter. Neither is needed with a voting code. A voter who has voted is not new and never refused, so a ballot that
    /// is sent again gets its answer.
    async fn let_in(
        &self,
        poll: &Poll,
        caster: &Caster,
        submission: &Submission,
        client: Client,
    ) -> Result<LetIn, Problem> {
        if caster.by_code.is_some() {
            return Ok(LetIn::freely());
        }
        let challenged = Challenged { poll, voter: caster.voter, source: client.source };
        let admission = match self.challenges.admit(challenged, submission.solution()).await {
            Ok(admission) => admission,
            Err(_) if self.has_voted(poll, caster.voter).await => return Ok(LetIn::freely()),
            Err(_) if poll.state(now_ms()) == PollState::Closed => return Err(not_open(poll)),
            Err(refused) => {
                if let Refused::Asked { .. } = refused {
                    self.challenges.count_asked();
                }
                return Err(challenged::problem(refused));
            }
        };
        let problem = match self.networks.admit(poll, client.source).await {
            Ok(permit) => return Ok(LetIn { permit: Some(permit), admission }),
            Err(_) if self.has_voted(poll, caster.voter).await => {
                return Ok(LetIn { permit: None, admission });
            }
            Err(_) if poll.state(now_ms()) == PollState::Closed => not_open(poll),
            Err(Refusal::Limited { retry_after_s }) => too_many_new_voters(poll, retry_after_s),
            Err(Refusal::Unknown(reason)) => {
                tracing::debug!(poll = %poll.slug, %reason, "the limit of a network is not known");
                self.publisher.refusals().refused(1, &reason);
                Problem::unavailable(Message::new("detail-no-storing"))
            }
        };
        let pass = self.challenges.give_back(admission);
        Err(challenged::with_pass(problem, pass.as_ref()))
    }

    /// Ends what a voter used up. Only a ballot that made a new voter costs something. Returns the text that takes the place
    /// of the solution, should the ballot be sent again.
    fn end(&self, let_in: LetIn, is_new: bool) -> Option<String> {
        let LetIn { permit, admission } = let_in;
        match (permit, is_new) {
            (Some(permit), true) => self.networks.voted(permit),
            (Some(permit), false) => self.networks.give_back(permit),
            (None, _) => {}
        }
        if is_new {
            self.challenges.voted(admission);
            None
        } else {
            self.challenges.give_back(admission)
        }
    }

    /// Holds back the answer to a wrong code, if many came from the client's network; refuses it if too many are held
    /// back already.
    async fn slow_down(
        &self,
        submission: &Submission,
        source: Source,
        cast: CastResult,
    ) -> CastResult {
        let is_wrong = |problem: &Problem| by_code::is_wrong_code(submission, problem);
        if !cast.outcome.as_ref().is_err_and(is_wrong) || self.wrong_codes.hold_back(source).await {
            return cast;
        }
        CastResult::refused(by_code::too_many_wrong_codes())
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
        identity::forget(&self.cookie_keys.ring(), poll, headers, self.base.of_cookies())
    }

    /// Returns whether the register is known to have a vote of this voter.
    async fn has_voted(&self, poll: &Poll, voter: VoterId) -> bool {
        matches!(self.standing(poll, Some(voter)).await, Standing::Stands(_))
    }

    fn cookie(&self, poll: &Poll, voter: VoterId, now_s: i64, client: Client) -> HeaderValue {
        identity::set_cookie(&self.cookie_keys.ring(), poll, voter, now_s, self.place(client))
    }

    /// Where the cookies of this client go.
    fn place(&self, client: Client) -> CookiePlace<'_> {
        CookiePlace { kind: cookie_kind(client), path: self.base.of_cookies() }
    }

    /// The path of a poll's ballot page; without a slug, that of the default poll.
    pub(crate) fn path_of(&self, slug: Option<&str>) -> String {
        slug.map_or_else(|| self.base.join("/"), |slug| self.base.join(&format!("/polls/{slug}")))
    }
}

/// Counts a ballot's outcome. Handlers call it for ballots that they refuse before [`VotingService::cast`].
pub(crate) fn count(problem: Option<&Problem>) {
    // Looking up a counter by its labels costs more than counting, and most ballots are accepted.
    static ACCEPTED: LazyLock<CounterHandle> =
        LazyLock::new(|| metrics::BALLOTS.with(["accepted"]));
    match problem {
        None => ACCEPTED.increment(1),
        Some(problem) => metrics::BALLOTS.with([problem.kind.name]).increment(1),
    }
}

/// Returns the slugs of the chosen options, in ballot order.
pub(crate) fn slugs(poll: &Poll, choices: Choices) -> Vec<&str> {
    poll.chosen(choices).map(|option| option.slug.as_str()).collect()
}

/// Reads the request's `Idempotency-Key`.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => IdempotencyKey::parse(value.as_bytes())
            .map(Some)
            .map_err(|error| Problem::malformed(error.to_string())),
        (Some(_), Some(_)) => Err(Problem::malformed("there is more than one Idempotency-Key")),
    }
}

fn not_stored() -> Problem {
    Problem::unavailable(Message::new("detail-not-stored"))
}

fn being_set_up() -> Problem {
    Problem::unavailable(Message::new("detail-being-set-up"))
}

fn key_reused() -> Problem {
    Problem::new(&KEY_REUSED, Message::new("detail-key-reused"))
}

fn cross_site() -> Problem {
    Problem::new(&CROSS_SITE, Message::new("detail-cross-site"))
}

fn needs_token() -> Problem {
    Problem::new(&CROSS_SITE, Message::new("detail-needs-token"))
}

/// The part of a sentence that says why a cookie or token is not accepted, by its name in the catalogue.
fn reason_of(error: voter::Error) -> &'static str {
    match error {
        voter::Error::Malformed => "malformed",
        voter::Error::Forged => "forged",
        voter::Error::Expired => "expired",
    }
}

fn invalid_choice(poll: &Poll, error: InvalidChoice) -> Problem {
    let detail = match error {
        InvalidChoice::Unknown(name) => {
            let options: Vec<&str> = poll.options.iter().map(|it| it.slug.as_str()).collect();
            Message::new("detail-no-option")
                .with("name", name.escape_debug().to_string())
                .with("options", options.join(", "))
        }
        InvalidChoice::Count { min, max, given } if min == max => {
            Message::new("detail-choose-exactly").with("min", usize::from(min)).with("given", given)
        }
        InvalidChoice::Count { min, max, given } => Message::new("detail-choose-range")
            .with("min", usize::from(min))
            .with("max", usize::from(max))
            .with("given", given),
    };
    Problem::new(&INVALID_CHOICE, detail)
}

/// Says when the network may bring its next voter, and whether that is too late for the poll.
fn too_many_new_voters(poll: &Poll, retry_after_s: u32) -> Problem {
    let left_s = poll.closes_at_ms.map(|closes_at_ms| (closes_at_ms - now_ms()).max(0) / 1_000);
    let detail = match left_s {
        Some(left_s) if left_s <= i64::from(retry_after_s) => {
            Message::new("detail-too-many-voters-closing").with("left", left_s.to_string())
        }
        _ => Message::new("detail-too-many-voters"),
    };
    Problem::new(&TOO_MANY_NEW_VOTERS, detail.with("seconds", retry_after_s.to_string()))
        .retry_after(retry_after_s)
}

fn already_voted(poll: &Poll, choices: Choices) -> Problem {
    let labels: Vec<&str> = poll.chosen(choices).map(|option| option.label.as_str()).collect();
    let detail = match choices.is_abstention() {
        true => Message::new("detail-stands-none"),
        false => Message::new("detail-stands").with("labels", labels.join(", ")),
    };
    Problem::new(&ALREADY_VOTED, detail).with("choices", slugs(poll, choices))
}

fn not_open(poll: &Poll) -> Problem {
    let state = poll.state(now_ms());
    let detail = Message::new(match state {
        PollState::Scheduled => "detail-not-opened",
        PollState::Closed => "detail-has-closed",
        _ => "detail-takes-none",
    });
    Problem::new(&NOT_OPEN, detail)
        .with("state", state.as_str())
        .with("opens_at", poll.opens_at_ms.map(rfc3339))
        .with("closes_at", poll.closes_at_ms.map(rfc3339))
}
