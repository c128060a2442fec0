//! Describes the voter's pages: view structs, their templates, and the static files.
//!
//! Invariant: text that a poll's author or a voter typed reaches HTML through Askama's escaping only. A page
//! carries no inline script and no inline style, so the strict content security policy holds.
//!
//! Absent on purpose: any knowledge of polls, requests or cookies; handlers fill these structs.

use std::borrow::Cow;
use std::sync::LazyLock;

use askama::Template;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};
use votestream_service::page::{
    Asset, BASE_CSS, CSS, FAVICON_ICO, FAVICON_SVG, JS, MESSAGES_JS, QrPicture, StaticFiles,
    density, length_class, plain_time, preview_picture_words, sentences_of,
};

/// One option as the ballot shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionView {
    /// Value of the form field `vote`; also part of the element's id (`option-<slug>`).
    pub slug: String,
    /// Text that the voter reads, up to 200 characters.
    pub label: String,
    /// The language of the label, if it is known and is not that of the page.
    pub label_lang: Option<String>,
    /// Smaller second line below the label.
    pub description: Option<String>,
    /// The language of the description, if it is known and is not that of the page.
    pub description_lang: Option<String>,
    /// Colour as `#rrggbb`; without one, the option has a colour of the default palette.
    pub colour: Option<String>,
    /// Number of that colour, from 1 to [`HUES`]. It follows from the option's place in ballot order, so that results show the
    /// same.
    pub hue: usize,
    /// Whether the option is shown as marked.
    pub chosen: bool,
}

/// The number of colours in the default palette.
pub const HUES: usize = 9;

/// The kind of a notice, which decides its look and its ARIA role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The notice informs; the voter need not act.
    Info,
    /// The notice confirms that an action succeeded.
    Success,
    /// The notice says that something was refused or failed.
    Error,
}

impl NoticeKind {
    fn class(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Error => "error",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Error => "alert",
            Self::Info | Self::Success => "status",
        }
    }
}

/// A message to the voter, shown above the ballot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Kind, which decides look and urgency.
    pub kind: NoticeKind,
    /// Headline of one line.
    pub title: String,
    /// One or two sentences on cause and remedy; may be empty.
    pub detail: String,
}

/// The ballot page, in every state of its poll: scheduled, open, voted, closed.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "ballot.html")]
pub struct BallotPage {
    /// The language of the page.
    pub words: Words,
    /// The poll's question, as the headline.
    pub title: String,
    /// The language of the title, if it is known and is not that of the page.
    pub title_lang: Option<String>,
    /// Slug of the poll; the page's script posts to `/api/polls/<slug>/ballots`.
    pub slug: String,
    /// The path in front of all addresses.
    pub base: BasePath,
    /// Path to which the plain form posts: `/` or `/polls/<slug>`.
    pub action: String,
    /// State of the poll: `draft`, `scheduled`, `open`, `closed` or `archived`.
    pub state: String,
    /// The 2 to 63 options, in the order in which this voter sees them; none of a draft.
    pub options: Vec<OptionView>,
    /// Fewest options that a ballot must name; with 0 there is a button for none of them.
    pub choices_min: usize,
    /// Most options that a ballot may name; 1 makes radio buttons, more make checkboxes.
    pub choices_max: usize,
    /// Whether a new ballot replaces the standing vote (vote policy `replace`).
    pub replace: bool,
    /// Whether the ballot asks for a voting code (voter policy `code`).
    pub needs_code: bool,
    /// Whether a cookie takes the place of the code of the voter whose vote stands.
    pub is_remembered: bool,
    /// Options in the standing vote; empty while this voter has none, and after an abstention.
    pub your_choices: Vec<OptionView>,
    /// Whether the standing vote chooses none of the options.
    pub has_abstained: bool,
    /// Slugs of the options in the standing vote, separated by blanks, if the form may change it.
    pub standing_slugs: Option<String>,
    /// Voting code of a ballot that was just refused, for the voter to correct.
    pub code: Option<String>,
    /// Whether the browser has sent no cookie with a ballot, so that it cannot show the vote again later.
    pub keeps_no_cookie: bool,
    /// Time on the server, in milliseconds since the Unix epoch; countdowns follow it.
    pub now_ms: i64,
    /// Time when the poll opens, in RFC 3339 form.
    pub opens_at: Option<String>,
    /// Time when the poll closes, in RFC 3339 form.
    pub closes_at: Option<String>,
    /// Address of the live results, if they are linked.
    pub results_url: Option<String>,
    /// Address of a picture of the results, for previews of links to this page.
    pub picture_url: Option<String>,
    /// Whether lists may name the poll; search engines are asked to leave out the others.
    pub is_listed: bool,
    /// Message above the ballot, if there is one.
    pub notice: Option<Notice>,
    /// Voting token: the hidden field that names the voter where the browser keeps no cookie.
    pub token: Option<String>,
    /// Whether the register could not be read, so that this voter's vote is not known now.
    pub vote_is_unknown: bool,
    /// Whether the register of the poll, which is over, has been removed.
    pub vote_is_not_kept: bool,
    /// Whether every new voter has to solve a challenge first, which needs JavaScript.
    pub asks_everybody: bool,
    /// Whether archiving the poll also seals it, so that nobody can find out any more who chose what.
    pub is_secret: bool,
    /// Path of this voter's receipt, if the poll gives receipts.
    pub receipt_path: Option<String>,
    /// Address of the page that checks receipts, if results are linked.
    pub receipts_url: Option<String>,
}

impl BallotPage {
    /// Returns the page that waits for a draft. It reveals nothing of the poll; its script loads the ballot once there is
    /// one.
    pub fn of_draft(words: Words, slug: &str, base: BasePath, action: String, now_ms: i64) -> Self {
        Self {
            words,
            base,
            now_ms,
            title: words.text("draft-title").into_owned(),
            slug: slug.to_owned(),
            action,
            state: "draft".to_owned(),
            ..Self::default()
        }
    }

    /// Whether a vote of this voter stands.
    fn has_vote(&self) -> bool {
        self.has_abstained || !self.your_choices.is_empty()
    }

    fn state_words(&self) -> Cow<'static, str> {
        self.words.text(match self.state.as_str() {
            "open" => "state-open",
            "closed" | "archived" => "state-closed",
            _ => "state-not-open",
        })
    }

    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "closed" | "archived")
    }

    /// Returns the sentence on the reader's own vote, for a poll that is over.
    fn own_vote_words(&self) -> Cow<'static, str> {
        if self.has_vote() {
            self.words.text("thanks")
        } else if self.vote_is_not_kept {
            self.words.text("vote-not-kept")
        } else if self.vote_is_unknown {
            Cow::Borrowed("")
        } else {
            self.words.text("no-vote-here")
        }
    }

    fn takes_votes(&self) -> bool {
        self.state == "open" && (self.replace || self.needs_code || !self.has_vote())
    }

    /// Whether the form changes the vote that stands. With voting codes it does so only for a voter who is remembered;
    /// for everybody else it takes the ballot of a code.
    fn changes_vote(&self) -> bool {
        self.has_vote() && self.replace && (!self.needs_code || self.is_remembered)
    }

    /// Returns the sentences of a preview in a messenger.
    fn preview_words(&self) -> String {
        let state = self.state_words().into_owned();
        let message = match self.options.len() {
            options @ 1.. if !self.is_over() => Message::new("preview-words")
                .with("state", state)
                .with("choose", self.choose_words())
                .with("options", options),
            _ => Message::new("preview-state").with("state", state),
        };
        self.words.say(&message).into_owned()
    }

    fn choose_words(&self) -> String {
        let (min, max) = (self.choices_min, self.choices_max);
        let message = match (min, max) {
            (0, 0 | 1) => Message::new("choose-one-or-none"),
            (_, 0 | 1) => Message::new("choose-one"),
            (min, max) if min == max => Message::new("choose-exactly").with("max", max),
            (0, max) => Message::new("choose-up-to-or-none").with("max", max),
            (1, max) => Message::new("choose-up-to").with("max", max),
            (min, max) => Message::new("choose-range").with("min", min).with("max", max),
        };
        self.words.say(&message).into_owned()
    }

    /// How many options are marked, before the script counts them.
    fn chosen_count(&self) -> String {
        let count = Message::new("chosen-count").with("marked", 0_usize);
        self.words.say(&count.with("max", self.choices_max)).into_owned()
    }

    fn file(&self, name: impl AsRef<str>) -> String {
        self.base.join(FILES.path(name.as_ref()))
    }

    fn density(&self) -> &'static str {
        density(self.options.len())
    }
}

/// The static files of the voter's pages, served below `/static/`.
pub const ASSETS: &[Asset] = &[
    BASE_CSS,
    ("ballot.css", CSS, include_bytes!("../static/ballot.css")),
    ("ballot.js", JS, include_bytes!("../static/ballot.js")),
    ("challenge.js", JS, include_bytes!("../static/challenge.js")),
    ("choices.js", JS, include_bytes!("../static/choices.js")),
    ("clock.js", JS, include_bytes!("../static/clock.js")),
    ("follower.js", JS, include_bytes!("../static/follower.js")),
    MESSAGES_JS,
    ("poll.js", JS, include_bytes!("../static/poll.js")),
    ("sender.js", JS, include_bytes!("../static/sender.js")),
    ("words.js", JS, include_bytes!("../static/words.js")),
    ("work.js", JS, include_bytes!("../static/work.js")),
    FAVICON_SVG,
    FAVICON_ICO,
];

/// The files of [`ASSETS`] and the sentences for the scripts, as they are served.
pub static FILES: LazyLock<StaticFiles> =
    LazyLock::new(|| StaticFiles::new(&[ASSETS, &sentences_of("ballot")].concat()));

/// A receipt as a QR code, with the name of its ballot in the log below.
#[derive(Debug, Template)]
#[template(path = "receipt_picture.svg", escape = "html")]
pub struct ReceiptPicture {
    /// The code.
    pub qr: QrPicture,
    /// The name of the ballot: its stream entry.
    pub entry: String,
}

#[cfg(test)]
mod tests {
    use testkit::sentences::{sentences_of_script, unbracketed};
    use votestream_service::language::Language;

    use super::*;

    fn cats_vs_dogs() -> BallotPage {
        let option = |slug: &str, label: &str| OptionView {
            slug: slug.to_owned(),
            label: label.to_owned(),
            ..OptionView::default()
        };
        BallotPage {
            title: "Cats vs Dogs".to_owned(),
            slug: "cats-vs-dogs".to_owned(),
            action: "/".to_owned(),
            state: "open".to_owned(),
            options: vec![option("cats", "Cats"), option("dogs", "Dogs")],
            choices_min: 1,
            choices_max: 1,
            ..BallotPage::default()
        }
    }

    #[test]
    fn typed_text_is_escaped() {
        let mut page = cats_vs_dogs();
        page.title = "<script>alert(1)</script>".to_owned();
        page.options[0].colour = Some("\"><b>".to_owned());
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert"));
        assert!(!html.contains("<b>"));
    }

    #[test]
    fn no_page_has_inline_style_or_script() {
        let html = cats_vs_dogs().render().unwrap();
        assert!(!html.contains("style="), "{html}");
        assert!(!html.contains("<style"));
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn single_choice_is_radio_and_multiple_is_checkbox() {
        let mut page = cats_vs_dogs();
        assert!(page.render().unwrap().contains("type=\"radio\""));
        page.choices_max = 2;
        let html = page.render().unwrap();
        assert!(html.contains("type=\"checkbox\"") && html.contains("Choose up to 2"));
    }

    #[test]
    fn a_draft_reveals_nothing_and_is_followed() {
        let path = "/polls/finale".to_owned();
        let page = BallotPage::of_draft(Words::default(), "finale", BasePath::default(), path, 0);
        let html = page.render().unwrap();
        assert!(html.contains("data-state=\"draft\"") && html.contains("data-poll=\"finale\""));
        assert!(html.contains("Voting has not started") && !html.contains("<form"), "{html}");
    }

    #[test]
    fn an_abstention_is_a_button_of_its_own_where_the_poll_allows_it() {
        let mut page = cats_vs_dogs();
        assert!(!page.render().unwrap().contains("id=\"abstain\""));
        page.choices_min = 0;
        let html = page.render().unwrap();
        assert!(html.contains("id=\"abstain\"") && html.contains("Choose one, or none"));
        page.has_abstained = true;
        let html = page.render().unwrap();
        assert!(!html.contains("<form") && html.contains("You chose none of the options"));
    }

    #[test]
    fn kept_first_vote_replaces_the_form() {
        let mut page = cats_vs_dogs();
        page.your_choices = page.options[..1].to_vec();
        assert!(!page.render().unwrap().contains("<form"));
        page.replace = true;
        let html = page.render().unwrap();
        assert!(html.contains("<form") && html.contains("Change my vote"));
    }

    #[test]
    fn the_form_of_a_code_poll_stays_and_shows_no_choice_of_the_person_before() {
        let mut page = cats_vs_dogs();
        (page.needs_code, page.your_choices) = (true, page.options[..1].to_vec());
        let html = page.render().unwrap();
        assert!(html.contains("name=\"forget\"") && html.contains("name=\"code\""));
        assert!(html.contains("id=\"send-label\">Vote<"));
        (page.replace, page.is_remembered) = (true, true);
        let html = page.render().unwrap();
        assert!(html.contains("id=\"send-label\">Change my vote<"));
    }

    #[test]
    fn only_an_open_poll_has_a_form() {
        for state in ["draft", "scheduled", "closed", "archived"] {
            let page = BallotPage { state: state.to_owned(), ..cats_vs_dogs() };
            assert!(!page.render().unwrap().contains("<form"), "{state}");
        }
    }

    #[test]
    fn code_poll_asks_for_the_code() {
        let page = BallotPage { needs_code: true, ..cats_vs_dogs() };
        assert!(page.render().unwrap().contains("name=\"code\""));
    }

    #[test]
    fn every_file_a_page_names_is_an_asset() {
        let html = cats_vs_dogs().render().unwrap();
        assert!(html.contains(FILES.path("ballot.js")), "{html}");
        // A file that is none has no address.
        assert!(!html.contains("src=\"\"") && !html.contains("href=\"\""), "{html}");
    }

    #[test]
    fn every_sentence_of_every_state_is_in_the_catalogue() {
        let words = Words::from(Language::Bracketed);
        let typed = ["Cats vs Dogs", "Cats", "Dogs", "Votestream"];
        let at = || Some("2026-11-23T16:40:31Z".to_owned());
        let mut pages =
            vec![BallotPage::of_draft(words, "finale", BasePath::default(), "/".to_owned(), 0)];
        for state in ["scheduled", "open", "closed", "archived"] {
            // Each bit of the number is one property of the page.
            for bits in 0..512_u32 {
                let is = |bit: u32| bits >> bit & 1 == 1;
                let mut page = BallotPage { words, state: state.to_owned(), ..cats_vs_dogs() };
                if is(0) {
                    page.your_choices = page.options[..1].to_vec();
                }
                (page.replace, page.needs_code, page.is_remembered) = (is(1), is(2), is(3));
                (page.vote_is_unknown, page.vote_is_not_kept) = (is(4), is(5));
                (page.has_abstained, page.asks_everybody) = (is(6), is(6));
                (page.is_secret, page.keeps_no_cookie) = (is(7), is(7));
                page.receipt_path = is(7).then(|| "/polls/finale/receipt".to_owned());
                page.receipts_url = is(3).then(|| "https://results.example/receipt".to_owned());
                (page.choices_min, page.choices_max) = if is(8) { (0, 2) } else { (1, 1) };
                (page.opens_at, page.closes_at) = if is(5) { (at(), at()) } else { (None, None) };
                page.results_url = Some("https://results.example".to_owned());
                page.picture_url = Some("https://results.example/picture.png".to_owned());
                pages.push(page);
            }
        }
        for (min, max) in [(0, 1), (1, 2), (2, 2), (2, 3)] {
            pages.push(BallotPage { words, choices_min: min, choices_max: max, ..cats_vs_dogs() });
        }
        let mut found: Vec<String> = Vec::new();
        for page in pages {
            found.extend(unbracketed(&page.render().unwrap(), &typed));
        }
        found.sort();
        found.dedup();
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn no_script_has_a_sentence_of_its_own() {
        for (name, kind, source) in ASSETS {
            let source = std::str::from_utf8(source).unwrap_or_default();
            let found = sentences_of_script(if *kind == JS { source } else { "" });
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_page_in_arabic_runs_from_right_to_left() {
        let page = BallotPage { words: Language::Ar.into(), ..cats_vs_dogs() };
        let html = page.render().unwrap();
        assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"), "{html}");
        assert!(html.contains("التصويت مفتوح") && html.contains(FILES.path("ballot.ar.js")));
    }
}
