//! The pages of organisers: their view structs, their templates and the static files.
//!
//! Invariants: every page works without JavaScript, and has none. Texts of polls reach HTML only through Askama's escaping.
//! No page has an inline style, and no sentence of its own: all are in the catalogue (`service/locales/*/host.ftl`).

use std::borrow::Cow;
use std::sync::LazyLock;

use askama::Template;
use votestream_schema::PollState;
use votestream_schema::poll::Visibility;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};
use votestream_service::page::{
    self, Asset, BASE_CSS, CSS, FAVICON_ICO, FAVICON_SVG, QrPicture, StaticFiles, length_class,
    sentence,
};
use votestream_service::problem::Problem;
use warp::http::StatusCode;
use warp::reply::Response;

use crate::access::Visitor;
use crate::order::Task;

const ASSETS: &[Asset] =
    &[BASE_CSS, ("host.css", CSS, include_bytes!("../static/host.css")), FAVICON_SVG, FAVICON_ICO];

/// The static files of all pages.
pub static FILES: LazyLock<StaticFiles> = LazyLock::new(|| StaticFiles::new(ASSETS));

/// What all pages for one request have in common.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The path in front of all addresses.
    pub(crate) base: BasePath,
    /// The language of the page.
    pub(crate) words: Words,
    /// Who is signed in.
    pub(crate) person: Option<Person>,
}

impl Frame {
    /// The same frame for somebody who is signed in.
    pub(crate) fn of(self, visitor: &Visitor) -> Self {
        let (name, form_token) = (visitor.organiser.name.to_string(), visitor.form_token());
        Self { person: Some(Person { name, form_token }), ..self }
    }

    /// The address of a page of ours, in the language of this one.
    pub(crate) fn link(&self, path: &str) -> String {
        self.words.link(self.base.join(path))
    }
}

/// Renders a page. None is compressed: each holds the text against forgery, which the length of a compressed page could tell.
pub(crate) fn render(status: StatusCode, words: Words, page: &impl Template) -> Response {
    page::render(status, words, page, None)
}

/// The page of a problem that belongs to no form; `back` is a path that leads on.
pub(crate) fn problem_page(frame: &Frame, problem: &Problem, back: Option<&str>) -> Response {
    let Frame { base, words, .. } = frame;
    let back = back.map(|path| (frame.link(path), words.text("host-go-back").into_owned()));
    page::problem(problem, *words, &FILES, "host.css", base, back)
}

/// Who is signed in, for the head of a page.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    name: String,
    form_token: String,
}

/// Why a form was not carried out.
#[derive(Debug)]
pub(crate) struct Trouble {
    title: String,
    detail: String,
}

impl Trouble {
    /// Describes a problem in the language of the page.
    pub(crate) fn of(problem: &Problem, words: Words) -> Self {
        let title = problem.kind.title(words).into_owned();
        Self { title, detail: sentence(&problem.detail.text(words)) }
    }
}

/// One field of a form.
#[derive(Debug, Template)]
#[template(path = "field.html")]
pub(crate) struct Field {
    name: String,
    label: String,
    hint: Option<String>,
    value: String,
    /// Values and words of a choice; empty for a text.
    choices: Vec<(&'static str, String)>,
}

impl Field {
    /// A line of text.
    pub(crate) fn text(name: &str, label: impl Into<String>, value: String) -> Self {
        Self { name: name.to_owned(), label: label.into(), hint: None, value, choices: Vec::new() }
    }

    /// A moment, as `votectl` reads it.
    pub(crate) fn time(words: Words, name: &str, label: &str, value: String) -> Self {
        Self::text(name, words.text(label), value).with_hint(words.text("host-field-time-hint"))
    }

    /// One of some values, of which `value` is chosen; each has the name of its words.
    pub(crate) fn choice(
        words: Words,
        name: &str,
        label: &str,
        choices: &[(&'static str, &'static str)],
        value: String,
    ) -> Self {
        let choices = choices.iter().map(|(value, id)| (*value, words.text(id).into_owned()));
        Self { choices: choices.collect(), ..Self::text(name, words.text(label), value) }
    }

    /// A further sentence below the label.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

macro_rules! pages {
    ($($page:ty),+ $(,)?) => {
        $(impl $page {
            fn file(&self, name: &str) -> String {
                self.base.join(FILES.path(name))
            }

            /// The address of a page of ours, in the language of this one.
            fn link(&self, path: impl AsRef<str>) -> String {
                self.words.link(self.base.join(path.as_ref()))
            }
        })+
    };
}

pages!(SignInPage, ListPage, PollPage, TaskPage, CreatePage, CodesPage, CardsPage);

/// The form for the token, or the button for a link.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    /// The link that the button uses up.
    pub(crate) link_token: Option<String>,
    pub(crate) problem: Option<Trouble>,
}

/// One poll in the list.
#[derive(Debug)]
pub(crate) struct PollRow {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: PollState,
    pub(crate) voters: i64,
    pub(crate) opens_at: Option<String>,
    pub(crate) closes_at: Option<String>,
}

/// The polls that the organiser may use.
#[derive(Debug, Template)]
#[template(path = "polls.html")]
pub(crate) struct ListPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    pub(crate) polls: Vec<PollRow>,
}

impl ListPage {
    fn poll_path(&self, poll: &PollRow) -> String {
        format!("/polls/{}", poll.slug)
    }
}

/// One option with its result.
#[derive(Debug)]
pub(crate) struct OptionRow {
    pub(crate) label: String,
    pub(crate) description: Option<String>,
    pub(crate) votes: String,
    pub(crate) share: String,
}

/// One correction, with both texts.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) at: String,
    /// The name of the field as it is stored, such as `label of cats`.
    pub(crate) field: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// One step of the audit trail.
#[derive(Debug)]
pub(crate) struct StepRow {
    pub(crate) at: String,
    pub(crate) actor: String,
    /// The name of the step as it is stored, such as `poll close`.
    pub(crate) action: String,
}

/// How far the counting has come.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) is_final: bool,
    /// Accepted ballots that are not counted yet, if it is known.
    pub(crate) waiting: Option<i64>,
}

/// A poll with its state, its results and its tasks.
#[derive(Debug, Template)]
#[template(path = "poll.html")]
pub(crate) struct PollPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    /// A sentence on the task that was just carried out.
    pub(crate) done: Option<Cow<'static, str>>,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: PollState,
    /// When the figures were read.
    pub(crate) as_of: String,
    pub(crate) tasks: Vec<Task>,
    /// Whether voting codes can be made for it now.
    pub(crate) takes_codes: bool,
    pub(crate) is_sealed_when_archived: bool,
    pub(crate) opens_at: Option<String>,
    pub(crate) closes_at: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) needs_code: bool,
    pub(crate) replaces: bool,
    pub(crate) choices_min: u8,
    pub(crate) choices_max: u8,
    pub(crate) voters: i64,
    pub(crate) progress: Progress,
    pub(crate) options: Vec<OptionRow>,
    /// The address of the ballot, if the service knows it.
    pub(crate) vote_address: Option<String>,
    /// The address of the results, if the service knows it.
    pub(crate) results_address: Option<String>,
    pub(crate) changes: Vec<ChangeRow>,
    pub(crate) steps: Vec<StepRow>,
}

impl PollPage {
    fn own_path(&self) -> String {
        format!("/polls/{}", self.slug)
    }

    fn part_path(&self, name: &str) -> String {
        format!("/polls/{}/{name}", self.slug)
    }

    fn task_path(&self, task: &Task) -> String {
        self.part_path(task.name())
    }

    fn visibility_words(&self) -> Cow<'static, str> {
        self.words.text(match self.visibility {
            Visibility::Always => "host-seen-always",
            Visibility::AfterClose => "host-seen-close",
            Visibility::AfterVote => "host-seen-vote",
            Visibility::Admin => "host-seen-admin",
        })
    }

    fn progress_words(&self) -> Cow<'static, str> {
        self.words.text(match (self.state, self.progress.is_final) {
            (PollState::Draft | PollState::Scheduled, _) => "host-not-opened",
            (PollState::Open, _) => "host-not-final-open",
            (PollState::Closed | PollState::Archived, true) => "host-final",
            (PollState::Closed | PollState::Archived, false) => "host-not-final-counting",
        })
    }

    /// How many ballots wait; nothing where no ballot can.
    fn waiting_words(&self) -> Option<Cow<'static, str>> {
        let is_before = matches!(self.state, PollState::Draft | PollState::Scheduled);
        if is_before || (self.progress.is_final && self.state != PollState::Open) {
            return None;
        }
        Some(match self.progress.waiting {
            Some(ballots) => {
                let ballots = ballots.max(0).unsigned_abs();
                self.words.say(&Message::new("host-waiting").with("ballots", ballots))
            }
            None => self.words.text("host-waiting-unknown"),
        })
    }

    fn choices_words(&self) -> Cow<'static, str> {
        let (min, max) = (self.choices_min.to_string(), self.choices_max.to_string());
        self.words.say(&Message::new("host-choices").with("min", min).with("max", max))
    }
}

/// The form of a task.
#[derive(Debug, Template)]
#[template(path = "task.html")]
pub(crate) struct TaskPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: PollState,
    pub(crate) closes_at: Option<String>,
    pub(crate) task: Task,
    pub(crate) fields: Vec<Field>,
    /// Whether the organiser must type the token to confirm.
    pub(crate) asks_token: bool,
    pub(crate) problem: Option<Trouble>,
}

impl TaskPage {
    fn poll_path(&self) -> String {
        format!("/polls/{}", self.slug)
    }

    fn own_path(&self) -> String {
        format!("/polls/{}/{}", self.slug, self.task.name())
    }

    fn headline(&self) -> String {
        format!("{} – {}", task_words(&self.words, &self.task), self.title)
    }
}

/// The form for a new poll.
#[derive(Debug, Template)]
#[template(path = "create.html")]
pub(crate) struct CreatePage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    pub(crate) slug: Field,
    pub(crate) title: Field,
    /// One option in each line.
    pub(crate) options: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) problem: Option<Trouble>,
}

/// The two forms for voting codes.
#[derive(Debug, Template)]
#[template(path = "codes.html")]
pub(crate) struct CodesPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    pub(crate) slug: String,
    pub(crate) title: String,
    /// How many new codes to make.
    pub(crate) count: Field,
    /// What was added.
    pub(crate) done: Option<String>,
    /// Why codes of one's own are not safe.
    pub(crate) warning: Option<Cow<'static, str>>,
    pub(crate) problem: Option<Trouble>,
}

impl CodesPage {
    fn poll_path(&self) -> String {
        format!("/polls/{}", self.slug)
    }

    fn own_path(&self) -> String {
        format!("/polls/{}/codes", self.slug)
    }

    fn headline(&self) -> String {
        format!("{} – {}", self.words.text("host-codes"), self.title)
    }
}

/// A new voting code.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) code: String,
    /// The personal link as a QR code, if the service knows the address of the ballot.
    pub(crate) qr: Option<QrPicture>,
}

/// New voting codes, to print and cut. Nobody can show them a second time.
#[derive(Debug, Template)]
#[template(path = "cards.html")]
pub(crate) struct CardsPage {
    pub(crate) base: BasePath,
    pub(crate) words: Words,
    pub(crate) person: Option<Person>,
    pub(crate) slug: String,
    pub(crate) title: String,
    /// The address of the ballot, if the service knows it.
    pub(crate) address: Option<String>,
    pub(crate) cards: Vec<Card>,
}

impl CardsPage {
    fn poll_path(&self) -> String {
        format!("/polls/{}", self.slug)
    }

    fn headline(&self) -> String {
        format!("{} – {}", self.words.text("host-cards"), self.title)
    }
}

/// The title of the browser's tab, which says first that something went wrong.
fn tab_title(words: &Words, title: impl Into<String>, has_trouble: bool) -> String {
    let title: String = title.into();
    if !has_trouble {
        return title;
    }
    words.say(&Message::new("host-error-title").with("title", title)).into_owned()
}

/// The words of a task on a link, a headline and a button.
fn task_words(words: &Words, task: &Task) -> Cow<'static, str> {
    words.text(&format!("host-task-{}", task.name()))
}

/// What a task does, for its page.
fn task_explanation(words: &Words, task: &Task) -> Cow<'static, str> {
    words.text(&format!("host-does-{}", task.name()))
}

/// The name of a state on its chip.
fn state_words(words: &Words, state: &PollState) -> Cow<'static, str> {
    words.say(&Message::new("poll-state").with("state", state.as_str()))
}

/// Who is signed in, in words.
fn person_words(words: &Words, person: &Person) -> Cow<'static, str> {
    words.say(&Message::new("host-person").with("name", person.name.as_str()))
}

/// How many people are counted.
fn voters_words(words: &Words, voters: &i64) -> Cow<'static, str> {
    let voters = (*voters).max(0).unsigned_abs();
    words.say(&Message::new("host-voters-counted").with("voters", voters))
}

/// A sentence with a time in it.
fn time_words(words: &Words, id: &'static str, at: &str) -> Cow<'static, str> {
    words.say(&Message::new(id).with("at", at))
}

#[cfg(test)]
mod tests {
    use votestream_service::language::Language;

    use super::*;

    fn page(task: Task, words: Words) -> TaskPage {
        TaskPage {
            base: "/host".parse().unwrap(),
            words,
            person: Some(Person { name: "anna".to_owned(), form_token: "ab".to_owned() }),
            slug: "pets".to_owned(),
            title: "<script>alert(1)</script>".to_owned(),
            state: PollState::Open,
            closes_at: None,
            task,
            fields: vec![Field::text("title", "Question", "\"><b>".to_owned())],
            asks_token: true,
            problem: Some(Trouble { title: "Refused".to_owned(), detail: "<i>".to_owned() }),
        }
    }

    #[test]
    fn texts_are_escaped_and_no_page_has_a_script_or_an_inline_style() {
        for task in Task::ALL {
            let html = page(task, Words::default()).render().unwrap();
            for bad in ["<script", "<b>", "<i>", "style=", "<style", "onclick"] {
                assert!(!html.contains(bad), "{bad}: {html}");
            }
            let headline = task_words(&Words::default(), &task);
            assert!(html.contains(headline.as_ref()) && html.contains("name=\"form_token\""));
            let others = html.matches("href=\"/").count() + html.matches("action=\"/").count();
            let below =
                html.matches("href=\"/host/").count() + html.matches("action=\"/host/").count();
            assert_eq!(others, below, "every address is below the base path: {html}");
        }
    }

    #[test]
    fn every_task_has_its_sentences_in_every_language() {
        for language in Language::ALL {
            let words = Words::from(language);
            for task in Task::ALL {
                let done = words.text(&format!("host-done-{}", task.name()));
                let all = [task_words(&words, &task), task_explanation(&words, &task), done];
                assert!(all.iter().all(|text| !text.is_empty()), "{language:?} {task:?}");
                let html = page(task, words).render().unwrap();
                assert!(html.contains(&format!("lang=\"{}\"", words.lang())), "{html}");
            }
        }
    }
}
