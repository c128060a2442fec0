//! The pages of organisers: their view structs, their templates and the static files.
//!
//! Invariants: every page works without JavaScript, and has none. Texts of polls reach HTML only through Askama's escaping.
//! No page has an inline style.

use std::sync::LazyLock;

use askama::Template;
use votestream_schema::poll::Visibility;
use votestream_service::http::BasePath;
use votestream_service::page::{
    self, Asset, BASE_CSS, CSS, FAVICON_ICO, FAVICON_SVG, StaticFiles, length_class, sentence,
};
use votestream_service::problem::Problem;
use warp::reply::Response;

use crate::access::Visitor;
use crate::order::Task;

const ASSETS: &[Asset] =
    &[BASE_CSS, ("host.css", CSS, include_bytes!("../static/host.css")), FAVICON_SVG, FAVICON_ICO];

/// The static files of all pages.
pub static FILES: LazyLock<StaticFiles> = LazyLock::new(|| StaticFiles::new(ASSETS));

/// The page of a problem that belongs to no form; `back` is a path that leads on.
pub(crate) fn problem_page(base: &BasePath, problem: &Problem, back: Option<&str>) -> Response {
    let back = back.map(|path| (base.join(path), "Go back"));
    page::problem(problem, &FILES, "host.css", base, back)
}

/// Who is signed in, for the head of a page.
#[derive(Debug)]
pub(crate) struct Person {
    name: String,
    form_token: String,
}

impl Person {
    pub(crate) fn of(visitor: &Visitor) -> Self {
        Self { name: visitor.organiser.name.to_string(), form_token: visitor.form_token() }
    }
}

/// Why a form was not carried out.
#[derive(Debug)]
pub(crate) struct ProblemWords {
    title: &'static str,
    detail: String,
}

impl From<&Problem> for ProblemWords {
    fn from(problem: &Problem) -> Self {
        Self { title: problem.kind.title, detail: sentence(&problem.detail) }
    }
}

/// One field of a form.
#[derive(Debug, Template)]
#[template(path = "field.html")]
pub(crate) struct Field {
    name: String,
    label: String,
    hint: Option<&'static str>,
    value: String,
    /// Values and words of a choice; empty for a text.
    choices: Vec<(&'static str, &'static str)>,
}

impl Field {
    /// A line of text.
    pub(crate) fn text(name: &str, label: &str, value: String) -> Self {
        let (name, label) = (name.to_owned(), label.to_owned());
        Self { name, label, hint: None, value, choices: Vec::new() }
    }

    /// A moment, as `votectl` reads it.
    pub(crate) fn time(name: &str, label: &str, value: String) -> Self {
        Self::text(name, label, value)
            .with_hint("now, +10m, +2h, or a time such as 2026-03-01 20:00 Europe/Berlin")
    }

    /// One of some values, of which `value` is chosen.
    pub(crate) fn choice(
        name: &str,
        label: &str,
        choices: &[(&'static str, &'static str)],
        value: &str,
    ) -> Self {
        Self { choices: choices.to_vec(), ..Self::text(name, label, value.to_owned()) }
    }

    /// A further sentence below the label.
    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

macro_rules! with_files {
    ($($page:ty),+ $(,)?) => {
        $(impl $page {
            fn file(&self, name: &str) -> String {
                self.base.join(FILES.path(name))
            }
        })+
    };
}

with_files!(SignInPage, ListPage, PollPage, TaskPage, CreatePage);

/// The form for the token, or the button for a link.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) base: BasePath,
    pub(crate) person: Option<Person>,
    /// The link that the button uses up.
    pub(crate) link: Option<String>,
    pub(crate) problem: Option<ProblemWords>,
}

/// One poll in the list.
#[derive(Debug)]
pub(crate) struct PollRow {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: String,
    pub(crate) voters: i64,
    pub(crate) opens_at: Option<String>,
    pub(crate) closes_at: Option<String>,
}

/// The polls that the organiser may use.
#[derive(Debug, Template)]
#[template(path = "polls.html")]
pub(crate) struct ListPage {
    pub(crate) base: BasePath,
    pub(crate) person: Option<Person>,
    pub(crate) polls: Vec<PollRow>,
}

/// One option with its result.
#[derive(Debug)]
pub(crate) struct OptionRow {
    pub(crate) label: String,
    pub(crate) description: Option<String>,
    pub(crate) votes: i64,
    pub(crate) share: String,
}

/// One correction, with both texts.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) at: String,
    pub(crate) field: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// One step of the audit trail.
#[derive(Debug)]
pub(crate) struct StepRow {
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) action: String,
}

/// A poll with its state, its results and its tasks.
#[derive(Debug, Template)]
#[template(path = "poll.html")]
pub(crate) struct PollPage {
    pub(crate) base: BasePath,
    pub(crate) person: Option<Person>,
    /// A sentence on the task that was just carried out.
    pub(crate) done: Option<&'static str>,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: String,
    /// When the figures were read.
    pub(crate) as_of: String,
    pub(crate) tasks: Vec<Task>,
    pub(crate) is_sealed_when_archived: bool,
    pub(crate) opens_at: Option<String>,
    pub(crate) closes_at: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) needs_code: bool,
    pub(crate) replaces: bool,
    pub(crate) choices_min: u8,
    pub(crate) choices_max: u8,
    pub(crate) voters: i64,
    pub(crate) completeness: String,
    pub(crate) options: Vec<OptionRow>,
    /// The address of the ballot, if the service knows it.
    pub(crate) vote_address: Option<String>,
    /// The address of the results, if the service knows it.
    pub(crate) results_address: Option<String>,
    pub(crate) changes: Vec<ChangeRow>,
    pub(crate) steps: Vec<StepRow>,
}

impl PollPage {
    fn visibility_words(&self) -> &'static str {
        match self.visibility {
            Visibility::Always => "everybody",
            Visibility::AfterClose => "everybody, once the poll has closed",
            Visibility::AfterVote => "whoever has voted, and everybody once the poll has closed",
            Visibility::Admin => "organisers alone",
        }
    }
}

/// The form of a task.
#[derive(Debug, Template)]
#[template(path = "task.html")]
pub(crate) struct TaskPage {
    pub(crate) base: BasePath,
    pub(crate) person: Option<Person>,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) state: String,
    pub(crate) closes_at: Option<String>,
    pub(crate) task: Task,
    pub(crate) fields: Vec<Field>,
    /// Whether the organiser must type the token to confirm.
    pub(crate) asks_token: bool,
    pub(crate) problem: Option<ProblemWords>,
}

/// The form for a new poll.
#[derive(Debug, Template)]
#[template(path = "create.html")]
pub(crate) struct CreatePage {
    pub(crate) base: BasePath,
    pub(crate) person: Option<Person>,
    pub(crate) slug: Field,
    pub(crate) title: Field,
    /// One option in each line.
    pub(crate) options: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) problem: Option<ProblemWords>,
}

/// The words of a task on a link, a headline and a button.
fn task_words(task: &Task) -> &'static str {
    match task {
        Task::Open => "Open the poll",
        Task::Extend => "Extend the poll",
        Task::Close => "Close the poll",
        Task::Reveal => "Reveal the results",
        Task::Hide => "Hide the results",
        Task::Correct => "Correct the texts",
        Task::Cancel => "Cancel the opening",
        Task::Archive => "Archive the poll",
    }
}

/// What a task does, for its page.
fn task_explanation(task: &Task) -> &'static str {
    match task {
        Task::Open => {
            "From the opening time on, everybody who knows the address can vote. A time that is not reached yet can be \
             changed up to five seconds before."
        }
        Task::Extend => {
            "The poll closes later than it would. Open ballot pages show the new time within two seconds."
        }
        Task::Close => {
            "A poll closes for good. Ballots that came in before are counted, even if that takes a moment longer."
        }
        Task::Reveal => "Everybody sees the results from now on, also while the poll is open.",
        Task::Hide => {
            "Pages and the API no longer show the results. Whoever has seen them has seen them."
        }
        Task::Correct => {
            "The new texts appear on open pages within two seconds. Votes stay with their options, and the earlier texts \
             stay listed on the poll's page."
        }
        Task::Cancel => {
            "The poll becomes a draft again, with neither an opening nor a closing time."
        }
        Task::Archive => {
            "The poll leaves all pages for voters, for good. Votes and results are kept. What Redis knows of its voters is \
             forgotten."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(task: Task) -> TaskPage {
        TaskPage {
            base: "/host".parse().unwrap(),
            person: Some(Person { name: "anna".to_owned(), form_token: "ab".to_owned() }),
            slug: "pets".to_owned(),
            title: "<script>alert(1)</script>".to_owned(),
            state: "open".to_owned(),
            closes_at: None,
            task,
            fields: vec![Field::text("title", "Question", "\"><b>".to_owned())],
            asks_token: true,
            problem: Some(ProblemWords { title: "This is not possible", detail: "<i>".to_owned() }),
        }
    }

    #[test]
    fn texts_are_escaped_and_no_page_has_a_script_or_an_inline_style() {
        for task in Task::ALL {
            let html = page(task).render().unwrap();
            for bad in ["<script", "<b>", "<i>", "style=", "<style", "onclick"] {
                assert!(!html.contains(bad), "{bad}: {html}");
            }
            assert!(html.contains(task_words(&task)) && html.contains("name=\"form_token\""));
            let others = html.matches("href=\"/").count() + html.matches("action=\"/").count();
            let below =
                html.matches("href=\"/host/").count() + html.matches("action=\"/host/").count();
            assert_eq!(others, below, "every address is below the base path: {html}");
        }
    }
}
