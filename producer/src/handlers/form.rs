//! Serves people: HTML pages and plain forms, which work without JavaScript.

use std::sync::Arc;

use askama::Template as _;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use votestream_schema::poll::results_key::Carrier;
use votestream_schema::poll::{now_ms, order, rfc3339};
use votestream_schema::submission::{self, Submission};
use votestream_schema::{Choices, Poll};
use votestream_service::http;
use votestream_service::language::{Language, Message, Words};
use votestream_service::listener::Head;
use votestream_service::page::{self, QrPicture, render, sentence};
use votestream_service::problem::Problem;
use votestream_transparency::receipt::Receipt;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::{body_of_type, with_cookies};
use crate::config::ChallengeMode;
use crate::pages::{BallotPage, FILES, HUES, Notice, NoticeKind, OptionView, ReceiptPicture};
use crate::problems::{CHALLENGE_REQUIRED, INVALID_CHOICE};
use crate::voting::{self, CastResult, Standing, Visitor, VotingService};

/// Answers `GET /` and `GET /polls/{slug}` with the ballot, or with a page that waits for a draft; `slug` is `None` for
/// `/`. The query may mark options beforehand.
pub(crate) async fn page(
    voting: Arc<VotingService>,
    slug: Option<String>,
    head: Head,
    query: String,
) -> Response {
    let name = slug.as_deref().unwrap_or(&voting.default_poll);
    let poll = match voting.poll(name) {
        Ok(poll) => poll,
        Err(problem) => {
            let words = Words::choose(&query, None, &head.headers);
            if !voting.catalog.is_draft(name) {
                return problem_page(&voting, &problem, words, None);
            }
            let path = words.link(voting.path_of(slug.as_deref()));
            let page = BallotPage::of_draft(words, name, voting.base.clone(), path, now_ms());
            return render(StatusCode::OK, words, &page, Some(&head.headers));
        }
    };
    let words = words_of(&poll, &head, &query);
    let client = voting.client(head.peer, &head.headers);
    let visitor = voting.visitor(&poll, client, &head.headers);
    let standing = voting.standing(&poll, visitor.voter).await;
    let named = submission::marked_beforehand(&query);
    let marks =
        Marks { beforehand: poll.mark(named.iter().map(String::as_str)), ..Marks::default() };
    let page = ballot_page(&voting, words, &poll, slug.as_deref(), standing, &visitor, marks);
    with_cookies(show(&voting, StatusCode::OK, &page, Some(&head.headers)), visitor.cookie)
}

/// Returns a ballot page, which may load the script of another service if challenges need it; for a GET, `asked` are its headers.
fn show(
    voting: &VotingService,
    status: StatusCode,
    page: &BallotPage,
    asked: Option<&HeaderMap>,
) -> Response {
    let mut response = render(status, page.words, page, asked);
    if let Some(origins) = voting.challenges.script_origins() {
        http::allow_scripts_of(&mut response, origins);
    }
    response
}

/// Answers `GET /v/{code}`, the address that people type from a screen, by leading on to the ballot.
pub(crate) fn follow_code(
    voting: &VotingService,
    code: &str,
    head: &Head,
    query: &str,
) -> Response {
    let words = Words::choose(query, None, &head.headers);
    match voting.slug_of_code(code) {
        Ok(slug) => see_other(&words.link(voting.path_of(Some(&slug)))),
        Err(problem) => problem_page(voting, &problem, words, None),
    }
}

/// Answers `GET /polls/{slug}/results` by leading on to the results. Where voters see them before everybody, the address has a
/// proof that the vote of this browser stands.
pub(crate) async fn results(
    voting: Arc<VotingService>,
    slug: String,
    head: Head,
    query: String,
) -> Response {
    let words = Words::choose(&query, None, &head.headers);
    let found = voting.poll(&slug).and_then(|poll| {
        let page = results_page(&voting, poll.slug.as_str()).ok_or_else(Problem::not_found)?;
        Ok((page, poll))
    });
    let (mut address, poll) = match found {
        Ok(found) => found,
        Err(problem) => return problem_page(&voting, &problem, words, None),
    };
    if poll.shows_results_to_voters()
        && let Some(key) = &poll.secrecy.results_key
    {
        let client = voting.client(head.peer, &head.headers);
        let voter = voting.visitor(&poll, client, &head.headers).voter;
        if let Standing::Stands(_) = voting.standing(&poll, voter).await {
            let proof = key.prove(poll.id, Carrier::Address, now_ms() / 1_000);
            address.push_str(&format!("?proof={proof}"));
        }
    }
    lead_in_private(&voting, words, words.link(address))
}

/// The page of the dashboard with the results of a poll, if there is a dashboard.
fn results_page(voting: &VotingService, slug: &str) -> Option<String> {
    let base = voting.results_url.as_deref()?;
    Some(format!("{}/polls/{slug}", base.trim_end_matches('/')))
}

fn receipt_path(voting: &VotingService, poll: &Poll) -> String {
    voting.path_of(Some(poll.slug.as_str())) + "/receipt"
}

/// The address of the page that checks receipts of a poll.
fn receipts_url(voting: &VotingService, poll: &Poll) -> Option<String> {
    Some(results_page(voting, poll.slug.as_str())? + "/receipt")
}

/// The address at which a receipt is checked, if there is a dashboard. The receipt is behind the hash sign, so browsers send it to no
/// server.
fn receipt_link(
    voting: &VotingService,
    poll: &Poll,
    words: Words,
    receipt: &Receipt,
) -> Option<String> {
    let page = words.link(receipts_url(voting, poll)?);
    let fragment = BASE64_URL_SAFE_NO_PAD.encode(receipt.to_json());
    Some(format!("{page}#{fragment}"))
}

/// Answers `GET /polls/{slug}/receipt` with the receipt of this browser's vote, as a file.
pub(crate) async fn receipt(
    voting: Arc<VotingService>,
    slug: String,
    head: Head,
    query: String,
) -> Response {
    match voting.own_receipt(&slug, &head).await {
        Ok((poll, receipt)) => {
            let name = format!("attachment; filename=\"receipt-{}.json\"", poll.slug);
            let name = HeaderValue::try_from(name).expect("a slug is ASCII");
            let mut reply = http::json(StatusCode::OK, receipt.to_json());
            reply.headers_mut().insert(header::CONTENT_DISPOSITION, name);
            reply
        }
        Err(problem) => {
            let words = Words::choose(&query, None, &head.headers);
            problem_page(&voting, &problem, words, None)
        }
    }
}

/// Answers `GET /polls/{slug}/receipt/check` by leading on to the page that checks the receipt of this browser's vote.
pub(crate) async fn check_receipt(
    voting: Arc<VotingService>,
    slug: String,
    head: Head,
    query: String,
) -> Response {
    let words = Words::choose(&query, None, &head.headers);
    let found = voting.own_receipt(&slug, &head).await.and_then(|(poll, receipt)| {
        receipt_link(&voting, &poll, words, &receipt).ok_or_else(Problem::not_found)
    });
    match found {
        Ok(link) => lead_in_private(&voting, words, link),
        Err(problem) => problem_page(&voting, &problem, words, None),
    }
}

/// Answers `GET /polls/{slug}/receipt/picture.svg` with the receipt of this browser's vote as a QR code, for another device: it leads to
/// the page that checks the receipt, or has the receipt itself where there is no such page. Below it stands the name of the ballot in
/// the log.
pub(crate) async fn receipt_picture(
    voting: Arc<VotingService>,
    slug: String,
    head: Head,
    query: String,
) -> Response {
    let words = Words::choose(&query, None, &head.headers);
    let found = voting.own_receipt(&slug, &head).await.and_then(|(poll, receipt)| {
        let link = receipt_link(&voting, &poll, words, &receipt);
        let text = link.unwrap_or_else(|| receipt.to_json());
        let qr = QrPicture::dense(&text).ok_or_else(Problem::not_found)?;
        Ok(ReceiptPicture { qr, entry: receipt.entry.to_string() })
    });
    match found.map(|picture| picture.render()) {
        Ok(svg) => http::svg(svg.expect("templates only write to memory")),
        Err(problem) => problem_page(&voting, &problem, words, None),
    }
}

/// The language of a page about this poll.
fn words_of(poll: &Poll, head: &Head, query: &str) -> Words {
    let of_poll = poll.lang.as_ref().and_then(|lang| Language::of_tag(lang.as_str()));
    Words::choose(query, of_poll, &head.headers)
}

/// Answers `POST /` and `POST /polls/{slug}`: registers the ballot of a form, and redirects to the page.
pub(crate) async fn cast(
    voting: Arc<VotingService>,
    slug: Option<String>,
    head: Head,
    query: String,
    body: Result<Bytes, Problem>,
) -> Response {
    let path = voting.path_of(slug.as_deref());
    let prepared = voting.poll(slug.as_deref().unwrap_or(&voting.default_poll)).and_then(|poll| {
        let media_type = "application/x-www-form-urlencoded";
        Ok((poll, body_of_type(media_type, &head.headers, body)?))
    });
    let (poll, body) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            voting::count(Some(&problem));
            let words = Words::choose(&query, None, &head.headers);
            return problem_page(&voting, &problem, words, Some(words.link(&path)));
        }
    };
    let words = words_of(&poll, &head, &query);
    let path = words.link(&path);
    let submission = Submission::from_form(&body);
    if submission.forget {
        let client = voting.client(head.peer, &head.headers);
        return with_cookies(see_other(&path), voting.forget(&poll, client, &head.headers));
    }
    let cast = match marks_nothing_by_mistake(&poll, &submission) {
        Some(problem) => {
            voting::count(Some(&problem));
            CastResult::refused(problem)
        }
        None => voting.cast(&poll, &submission, head.peer, &head.headers, false).await,
    };
    let slug = slug.as_deref();
    let response = match cast.outcome {
        // A browser that keeps no cookies would show an empty ballot after a redirect.
        Ok(accepted) if submission.token.is_some() && !cast.has_cookie => {
            let vote = Standing::Stands(accepted.choices);
            let visitor = Visitor {
                token: submission.token,
                is_remembered: submission.remember,
                order_of: cast.voter,
                ..Visitor::default()
            };
            let page = ballot_page(&voting, words, &poll, slug, vote, &visitor, Marks::default());
            let page = BallotPage { keeps_no_cookie: true, ..page };
            show(&voting, StatusCode::OK, &page, None)
        }
        Ok(_) => see_other(&path),
        Err(problem) => {
            let client = voting.client(head.peer, &head.headers);
            let visitor =
                voting.visitor_after(&poll, cast.voter, &submission, client, &head.headers);
            let vote = match stated_choices(&poll, &problem) {
                Some(choices) => Standing::Stands(choices),
                None => voting.standing(&poll, visitor.voter).await,
            };
            // The voter corrects one thing, and need not mark all options again. After a vote that stands there is nothing to
            // correct, and the next person finds an empty form.
            let may_correct = problem.kind.status != StatusCode::CONFLICT;
            let sent = poll.mark(submission.choices.iter().map(String::as_str));
            let marks = Marks { sent: may_correct.then_some(sent), ..Marks::default() };
            let mut page = ballot_page(&voting, words, &poll, slug, vote, &visitor, marks);
            page.code = submission.code().filter(|_| may_correct).map(str::to_owned);
            let cookies = match cast.cookies.is_empty() {
                true => visitor.cookie.into_iter().collect(),
                false => cast.cookies,
            };
            return with_cookies(refused_page(&voting, page, &problem), cookies);
        }
    };
    with_cookies(response, cast.cookies)
}

/// Returns the page for a problem that belongs to no poll; `back` is the path of a ballot to link to.
fn problem_page(
    voting: &VotingService,
    problem: &Problem,
    words: Words,
    back: Option<String>,
) -> Response {
    let back = back.map(|path| (path, words.text("back-to-ballot").into_owned()));
    page::problem(problem, words, &FILES, "ballot.css", &voting.base, back)
}

/// Returns the standing vote that a problem names.
fn stated_choices(poll: &Poll, problem: &Problem) -> Option<Choices> {
    let slugs = problem.extensions.get("choices")?.as_array()?;
    poll.choose(slugs.iter().filter_map(|slug| slug.as_str())).ok()
}

/// Returns the ballot page with a notice that describes the problem.
fn refused_page(voting: &VotingService, mut page: BallotPage, problem: &Problem) -> Response {
    let stands = problem.extensions.contains_key("choices");
    // A page with JavaScript does not send this form.
    let words = page.words;
    let detail = match (problem.kind.name == CHALLENGE_REQUIRED.name, page.asks_everybody) {
        (true, true) => words.text("without-script-always"),
        (true, false) => words.text("without-script-busy"),
        (false, _) => problem.detail.text(words),
    };
    page.notice = Some(Notice {
        kind: if stands { NoticeKind::Info } else { NoticeKind::Error },
        title: problem.kind.title(words).into_owned(),
        detail: sentence(&detail),
    });
    problem.mark(show(voting, problem.kind.status, &page, None))
}

/// The options that a form shows as marked, beside those of the vote that stands.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// Those of the ballot that was just refused; they come first.
    sent: Option<Choices>,
    /// Those that the page's address names; they count for a voter without a vote.
    beforehand: Choices,
}

/// Refuses a form without any mark in a poll that allows abstentions, unless it says that it abstains.
fn marks_nothing_by_mistake(poll: &Poll, submission: &Submission) -> Option<Problem> {
    let is_empty = submission.choices.is_empty() && !submission.abstains;
    (is_empty && poll.choices_min == 0)
        .then(|| Problem::new(&INVALID_CHOICE, Message::new("detail-mark-or-abstain")))
}

fn ballot_page(
    voting: &VotingService,
    words: Words,
    poll: &Poll,
    slug: Option<&str>,
    vote: Standing,
    visitor: &Visitor,
    marks: Marks,
) -> BallotPage {
    let standing = vote.choices();
    let needs_code = poll.voter_policy.needs_code();
    // On a shared device the next person must not find the choices of the last one in the form.
    let prefilled = standing.filter(|_| !needs_code || visitor.is_remembered);
    let marked = marks.sent.or(prefilled).unwrap_or(marks.beforehand).mask();
    let order = match visitor.order_of {
        Some(voter) => order::of_options(poll, voter),
        None => (0..poll.options.len()).collect(),
    };
    let view = |position: usize| {
        let option = &poll.options[position];
        let (label, label_lang) = poll.label_in(option, words.lang()).to_owned_parts();
        OptionView {
            slug: option.slug.to_string(),
            label,
            label_lang,
            description: option.description.clone(),
            description_lang: poll.lang_beside(words.lang()).map(ToString::to_string),
            colour: option.colour.clone(),
            hue: position % HUES + 1,
            chosen: marked >> position & 1 == 1,
        }
    };
    let slugs_of = |choices| voting::slugs(poll, choices).join(" ");
    let results_url = match slug {
        Some(slug) => results_page(voting, slug),
        None => voting.results_url.clone(),
    };
    let results_url = results_url.map(|url| words.link(url));
    // The producer makes the proof when the link is followed, because a page may be open for long.
    let is_for_voters = poll.shows_results_to_voters();
    let results_url = results_url.map(|url| match is_for_voters {
        true => words.link(voting.path_of(Some(poll.slug.as_str())) + "/results"),
        false => url,
    });
    let picture_url = results_page(voting, poll.slug.as_str())
        .map(|page| format!("{page}/picture.png?v={}", poll.revision));
    let (title, title_lang) = poll.title_in(words.lang()).to_owned_parts();
    BallotPage {
        words,
        title,
        title_lang,
        slug: poll.slug.to_string(),
        base: voting.base.clone(),
        action: words.link(voting.path_of(slug)),
        state: poll.state(now_ms()).to_string(),
        options: order.into_iter().map(view).collect(),
        choices_min: poll.choices_min.into(),
        choices_max: poll.choices_max.into(),
        replace: poll.vote_policy.replaces(),
        needs_code,
        is_remembered: visitor.is_remembered,
        your_choices: standing
            .map_or_else(Vec::new, |choices| choices.positions().map(view).collect()),
        has_abstained: standing.is_some_and(Choices::is_abstention),
        standing_slugs: prefilled.map(slugs_of),
        code: None,
        keeps_no_cookie: false,
        now_ms: now_ms(),
        opens_at: poll.opens_at_ms.map(rfc3339),
        closes_at: poll.closes_at_ms.map(rfc3339),
        results_url,
        picture_url,
        is_listed: poll.is_listed(),
        notice: None,
        token: visitor.token.clone(),
        vote_is_unknown: vote == Standing::Unknown,
        vote_is_not_kept: vote == Standing::NotKept,
        asks_everybody: !needs_code && voting.challenges.mode() == ChallengeMode::Always,
        is_secret: poll.secrecy.secret,
        receipt_path: voting.receipts.log_of(poll).is_some().then(|| receipt_path(voting, poll)),
        receipts_url: receipts_url(voting, poll).map(|url| words.link(url)),
    }
}

fn see_other(path: &str) -> Response {
    lead_to(HeaderValue::try_from(path).expect("the path of a known poll is a slug"))
}

/// Leads on to an address that belongs to this browser alone. It begins with a setting, which may be no address.
fn lead_in_private(voting: &VotingService, words: Words, address: String) -> Response {
    let Ok(address) = HeaderValue::try_from(address) else {
        return problem_page(voting, &Problem::not_found(), words, None);
    };
    let mut reply = lead_to(address);
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn lead_to(address: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, address);
    response
}
