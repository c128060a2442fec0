//! Polls: the question, its options, who may vote, until when, and who sees the result.
//!
//! Invariant: a [`Definition`] that passed [`Definition::validated`] can be stored and voted on.
//! The state of a poll is never stored: it follows from its three times ([`Poll::state`]), so that
//! every replica and every replay decides the same.

pub mod network;
pub mod network_limit;
pub mod order;
pub mod organiser;
pub mod results_key;
pub mod secrecy;
pub mod short_code;
pub mod stored_voter_policy;
mod text;
pub mod translations;
pub mod voter_key;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::choices::OPTIONS_MAX;
use crate::{Choices, PollId, Slug};
use network_limit::NetworkLimit;
use secrecy::{KEEP_VOTES_DAYS_MAX, Secrecy};
use text::check_text;
use translations::{LanguageTag, Translations, Worded, worded};

pub use text::Invalid;

/// The length of the longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The length of the longest option label, in characters.
pub const LABEL_CHARS_MAX: usize = 200;
/// The length of the longest option description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every variant, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it in Postgres, JSON and flags.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(Invalid(format!(
                        "`{other}` is none of {}", [$($text),+].join(", ")
                    ))),
                }
            }
        }
    };
}

text_enum! {
    /// Decides which of a voter's ballots stands.
    VotePolicy {
        /// The first vote stands; later ballots are refused.
        KeepFirst = "keep_first",
        /// The newest ballot stands, until the poll closes.
        Replace = "replace",
    }
}

impl VotePolicy {
    /// Whether a voter's newer ballot takes the place of the older one; if not, the older one stands
    /// and the newer one is refused.
    ///
    /// This function alone decides the meaning of a policy. The register function, the upsert, the ballot
    /// page and the services are given its answer and never compare the policy's word themselves.
    pub fn replaces(self) -> bool {
        match self {
            Self::KeepFirst => false,
            Self::Replace => true,
        }
    }
}

text_enum! {
    /// Decides who may vote.
    VoterPolicy {
        /// Anyone may vote, once per signed cookie.
        Open = "open",
        /// Holders of a one-time voting code may vote.
        Code = "code",
    }
}

impl VoterPolicy {
    /// Whether a ballot needs a one-time voting code. As [`VotePolicy::replaces`], this alone decides
    /// the meaning of a policy.
    pub fn needs_code(self) -> bool {
        match self {
            Self::Open => false,
            Self::Code => true,
        }
    }
}

text_enum! {
    /// Decides who sees the tally, and when.
    Visibility {
        /// Everybody sees it from the start.
        Always = "always",
        /// Everybody sees it once the poll has closed.
        AfterClose = "after_close",
        /// Whoever has voted sees it, and everybody once the poll has closed.
        AfterVote = "after_vote",
        /// Only the operator sees it, with `votectl`.
        Admin = "admin",
    }
}

text_enum! {
    /// The stage in the life of a poll.
    PollState {
        /// The poll is being prepared; it has no opening time.
        Draft = "draft",
        /// The poll opens by itself at its opening time.
        Scheduled = "scheduled",
        /// The poll takes ballots.
        Open = "open",
        /// The poll takes no more ballots, for good.
        Closed = "closed",
        /// The poll is kept, but no longer shown.
        Archived = "archived",
    }
}

impl From<network_limit::InvalidLimit> for Invalid {
    fn from(error: network_limit::InvalidLimit) -> Self {
        Self(error.0)
    }
}

/// Why a ballot may not make these choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChoice {
    /// The poll has no option of this name, which is cut after 64 characters.
    #[error("`{0}` is not an option")]
    Unknown(String),
    /// The ballot names too few or too many options.
    #[error("choose {min} to {max}, not {given}")]
    Count {
        /// The fewest options that a ballot of the poll names.
        min: u8,
        /// The most options that a ballot of the poll names.
        max: u8,
        /// The options that this ballot names.
        given: usize,
    },
}

impl InvalidChoice {
    fn unknown(name: &str) -> Self {
        Self::Unknown(name.chars().take(64).collect())
    }
}

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollOption {
    /// The option's name in URLs, forms and JSON.
    pub slug: Slug,
    /// The text that voters read.
    pub label: String,
    /// The same in further languages. Producers of earlier releases leave out a poll whose options have any.
    #[serde(default, skip_serializing_if = "Translations::is_empty")]
    pub labels: Translations,
    /// A further sentence for voters, if there is one.
    #[serde(default)]
    pub description: Option<String>,
    /// The colour as `#rrggbb`, if the author chose one.
    #[serde(default)]
    pub colour: Option<String>,
}

/// A poll as its author defines it: the content of the file for `votectl poll create --file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The poll's name in URLs.
    pub slug: Slug,
    /// The question, as the headline of the page.
    pub title: String,
    /// The same in further languages.
    #[serde(default)]
    pub titles: Translations,
    /// The language in which title, labels and descriptions are written. Pages of the poll have it unless their address names another one.
    #[serde(default)]
    pub lang: Option<LanguageTag>,
    /// The 2 to 63 options, in the order in which voters see them.
    pub options: Vec<PollOption>,
    /// The fewest options that a ballot may choose; with 0 a ballot may choose none, which counts as turnout.
    #[serde(default = "one")]
    pub choices_min: u8,
    /// The most options that a ballot may choose.
    #[serde(default = "one")]
    pub choices_max: u8,
    /// Whether each voter sees the options in an order of their own.
    #[serde(default)]
    pub shuffle: bool,
    /// Decides which of a voter's ballots stands.
    #[serde(default = "keep_first")]
    pub vote_policy: VotePolicy,
    /// Decides who may vote.
    #[serde(default = "open_to_all")]
    pub voter_policy: VoterPolicy,
    /// Decides who sees the tally, and when.
    #[serde(default = "always")]
    pub visibility: Visibility,
    /// Whether archiving the poll also seals it: from then on nobody can find out who chose what.
    #[serde(default)]
    pub secret: bool,
    /// For how many days after the closing time the votes are kept; `votectl forget` then deletes them.
    #[serde(default)]
    pub keep_votes_days: Option<u16>,
    /// How many new voters one client network may bring; without it, as many as the producers are set up for.
    #[serde(default)]
    pub network_limit: Option<NetworkLimit>,
    /// Whether lists of polls name it; without it, they do unless its voters need codes.
    #[serde(default)]
    pub listed: Option<bool>,
    /// Whether voters get receipts, and every ballot is in the poll's public log; without it, they do unless the poll is
    /// secret.
    #[serde(default)]
    pub receipts: Option<bool>,
    /// The time when the poll opens; a draft has none.
    #[serde(default)]
    pub opens_at: Option<jiff::Timestamp>,
    /// The time when the poll closes; without one, an operator closes it.
    #[serde(default)]
    pub closes_at: Option<jiff::Timestamp>,
}

fn one() -> u8 {
    1
}
fn keep_first() -> VotePolicy {
    VotePolicy::KeepFirst
}
fn open_to_all() -> VoterPolicy {
    VoterPolicy::Open
}
fn always() -> Visibility {
    Visibility::Always
}

impl Definition {
    /// Whether the poll has receipts and a public log: as its author decided, else unless it is secret.
    pub fn has_receipts(&self) -> bool {
        self.receipts.unwrap_or(!self.secret)
    }

    /// Returns the definition itself if a poll can be made of it.
    ///
    /// # Errors
    /// Returns the first rule that is broken, in words for the author.
    pub fn validated(self) -> Result<Self, Invalid> {
        let fail = |text: String| Err(Invalid(text));
        check_title(&self.title, &self.titles)?;
        if !(2..=OPTIONS_MAX).contains(&self.options.len()) {
            return fail(format!(
                "a poll has 2 to {OPTIONS_MAX} options, not {}",
                self.options.len()
            ));
        }
        for (position, option) in self.options.iter().enumerate() {
            option.check()?;
            if self.options[..position].iter().any(|other| other.slug == option.slug) {
                return fail(format!("two options have the slug `{}`", option.slug));
            }
        }
        let (min, max) = (usize::from(self.choices_min), usize::from(self.choices_max));
        if !(min <= max && 1 <= max && max <= self.options.len()) {
            return fail(format!(
                "choices_min..choices_max must lie within 0..{}, with a choices_max of 1 at least, not {min}..{max}",
                self.options.len()
            ));
        }
        if self.keep_votes_days.is_some_and(|days| days > KEEP_VOTES_DAYS_MAX) {
            return fail(format!("keep_votes_days must be at most {KEEP_VOTES_DAYS_MAX}"));
        }
        if self.secret && self.receipts == Some(true) {
            return fail(
                "a secret poll has no receipts: its public log would keep the time of each ballot"
                    .into(),
            );
        }
        match (self.opens_at, self.closes_at) {
            (Some(opens), Some(closes)) if closes <= opens => {
                fail(format!("closes_at ({closes}) must lie after opens_at ({opens})"))
            }
            (None, Some(_)) => fail("closes_at needs opens_at".into()),
            _ => Ok(self),
        }
    }
}

/// Checks the text of a title, and its translations.
///
/// # Errors
/// Returns the rule that is broken, in words for the author.
pub fn check_title(title: &str, titles: &Translations) -> Result<(), Invalid> {
    check_text("the title", title, TITLE_CHARS_MAX)?;
    titles.check("the title", TITLE_CHARS_MAX)
}

impl PollOption {
    /// Checks the texts and the colour of the option.
    ///
    /// # Errors
    /// Returns the first rule that is broken, in words for the author.
    pub fn check(&self) -> Result<(), Invalid> {
        let name = format!("the label of `{}`", self.slug);
        check_text(&name, &self.label, LABEL_CHARS_MAX)?;
        self.labels.check(&name, LABEL_CHARS_MAX)?;
        if let Some(description) = &self.description {
            let name = format!("the description of `{}`", self.slug);
            check_text(&name, description, DESCRIPTION_CHARS_MAX)?;
        }
        match &self.colour {
            Some(colour) if !is_colour(colour) => {
                Err(Invalid(format!("the colour `{colour}` of `{}` is not #rrggbb", self.slug)))
            }
            _ => Ok(()),
        }
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A poll as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// The poll's number, the key of its row.
    pub id: PollId,
    /// The poll's name in URLs.
    pub slug: Slug,
    /// The question, as the headline of the page.
    pub title: String,
    /// The same in further languages.
    #[serde(default, skip_serializing_if = "Translations::is_empty")]
    pub titles: Translations,
    /// The language in which title, labels and descriptions are written, if the author said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<LanguageTag>,
    /// The options, in the order in which voters see them; a bit of [`Choices`] is an index into this.
    pub options: Vec<PollOption>,
    /// The fewest options that a ballot may choose; with 0 a ballot may choose none, which counts as turnout.
    pub choices_min: u8,
    /// The most options that a ballot may choose.
    pub choices_max: u8,
    /// Whether each voter sees the options in an order of their own. Producers of earlier releases ignore it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shuffle: bool,
    /// Decides which of a voter's ballots stands.
    pub vote_policy: VotePolicy,
    /// Decides who may vote.
    pub voter_policy: VoterPolicy,
    /// Decides who sees the tally, and when.
    pub visibility: Visibility,
    /// The time when the poll opens, in milliseconds since the Unix epoch; a draft has none.
    pub opens_at_ms: Option<i64>,
    /// The time when the poll closes, in milliseconds since the Unix epoch: the first one that is too late.
    pub closes_at_ms: Option<i64>,
    /// The time when the poll was archived, in milliseconds since the Unix epoch.
    pub archived_at_ms: Option<i64>,
    /// A number that grows with every change, so that an older copy never overwrites a newer one.
    pub revision: i32,
    /// How many new voters one client network may bring. `None` leaves that to the settings of the producers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_limit: Option<NetworkLimit>,
    /// Whether lists of polls name it, if its author decided that ([`Poll::is_listed`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// How long, and by whom, it can be known who chose what.
    #[serde(flatten)]
    pub secrecy: Secrecy,
}

impl Poll {
    /// The title for a page in this language.
    pub fn title_in(&self, page: &str) -> Worded<'_> {
        worded(&self.title, &self.titles, self.lang.as_ref(), page)
    }

    /// The label of one of its options for a page in this language.
    pub fn label_in<'a>(&'a self, option: &'a PollOption, page: &str) -> Worded<'a> {
        worded(&option.label, &option.labels, self.lang.as_ref(), page)
    }

    /// The language of the poll's own texts, if it is known and is not that of a page.
    pub fn lang_beside(&self, page: &str) -> Option<&LanguageTag> {
        self.lang.as_ref().filter(|lang| !lang.is_same_language(page))
    }

    /// Returns a number that changes with title and labels, for a poll that has them in several languages (FNV-1a, 32 bits).
    pub fn words(&self) -> Option<u32> {
        let options = self.options.iter().map(|option| (&option.label, &option.labels));
        let mut texts = options.chain([(&self.title, &self.titles)]);
        if texts.clone().all(|(_, translations)| translations.is_empty()) {
            return None;
        }
        let add = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        texts.try_fold(0x811c_9dc5, |hash, (text, translations)| {
            let all = format!("{text}\0{}\0", translations.to_json());
            Some(all.bytes().fold(hash, add))
        })
    }

    /// The state at `now_ms`, in milliseconds since the Unix epoch.
    pub fn state(&self, now_ms: i64) -> PollState {
        match (self.archived_at_ms, self.opens_at_ms, self.closes_at_ms) {
            (Some(_), _, _) => PollState::Archived,
            (None, None, _) => PollState::Draft,
            (None, _, Some(closes)) if now_ms >= closes => PollState::Closed,
            (None, Some(opens), _) if now_ms < opens => PollState::Scheduled,
            _ => PollState::Open,
        }
    }

    /// Whether a ballot came in time whose entry ID has the time `entry_ms`. Archiving the poll later does
    /// not change that.
    pub fn takes_entry_at(&self, entry_ms: i64) -> bool {
        self.opens_at_ms.is_some_and(|opens| opens <= entry_ms)
            && self.closes_at_ms.is_none_or(|closes| entry_ms < closes)
    }

    /// Whether the result is complete and cannot change any more: the poll has closed, and every ballot that came in
    /// before its closing time is settled. `complete_to_ms` is the time up to which that is so, `None` if it is not
    /// known ([`crate::watermark`]).
    pub fn is_final(&self, complete_to_ms: Option<i64>, now_ms: i64) -> bool {
        let is_over = matches!(self.state(now_ms), PollState::Closed | PollState::Archived);
        is_over
            && self.closes_at_ms.is_some_and(|closes| complete_to_ms.is_some_and(|to| to >= closes))
    }

    /// Whether everybody may see the tally, of which `is_final` says whether it is complete. Some may see it before
    /// ([`Poll::shows_results_to_voters`]).
    pub fn shows_results(&self, is_final: bool) -> bool {
        match self.visibility {
            Visibility::Always => true,
            Visibility::AfterClose | Visibility::AfterVote => is_final,
            Visibility::Admin => false,
        }
    }

    /// Whether lists of polls name it: as its author decided, else unless its voters need codes. Who knows the address of
    /// an unlisted poll sees it as any other.
    pub fn is_listed(&self) -> bool {
        self.listed.unwrap_or(!self.voter_policy.needs_code())
    }

    /// Whether the number of people counted may be shown while the results are hidden. Whose results are the operator's
    /// alone also keeps its turnout.
    pub fn shows_turnout(&self) -> bool {
        match self.visibility {
            Visibility::Always | Visibility::AfterClose | Visibility::AfterVote => true,
            Visibility::Admin => false,
        }
    }

    /// Whether somebody who has voted may see the tally before everybody may ([`results_key`]).
    pub fn shows_results_to_voters(&self) -> bool {
        match self.visibility {
            Visibility::AfterVote => true,
            Visibility::Always | Visibility::AfterClose | Visibility::Admin => false,
        }
    }

    /// Finds the options of these names: slugs, or letters `a`, `b`, … by position where no option has that
    /// slug.
    ///
    /// # Errors
    /// Returns an error if a name is unknown, or the number of choices is outside of the poll's limits.
    pub fn choose<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Choices, InvalidChoice> {
        let mut positions = Vec::new();
        for name in names {
            positions.push(self.position(name).ok_or_else(|| InvalidChoice::unknown(name))?);
        }
        let choices = Choices::from_positions(positions);
        choices.filter(|choices| self.allows(*choices)).ok_or_else(|| {
            let (min, max) = (self.choices_min, self.choices_max);
            InvalidChoice::Count { min, max, given: choices.map_or(0, Choices::count) }
        })
    }

    /// Finds the options of these names for a form that shows them as marked: names of no option are left out, and so are
    /// options beyond the most that a ballot may choose.
    pub fn mark<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Choices {
        let mut marked = Choices::NONE;
        for position in names.into_iter().filter_map(|name| self.position(name)) {
            let more = marked.positions().chain([position]);
            match Choices::from_positions(more) {
                Some(more) if more.count() <= usize::from(self.choices_max) => marked = more,
                _ => {}
            }
        }
        marked
    }

    /// Whether these choices name existing options, and as many as the poll allows.
    pub fn allows(&self, choices: Choices) -> bool {
        choices.highest().is_none_or(|highest| highest < self.options.len())
            && (usize::from(self.choices_min)..=usize::from(self.choices_max))
                .contains(&choices.count())
    }

    /// The options of these choices, in the order in which voters see them.
    pub fn chosen(&self, choices: Choices) -> impl Iterator<Item = &PollOption> {
        choices.positions().filter_map(|position| self.options.get(position))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let by_slug = self.options.iter().position(|option| option.slug.as_str() == name);
        by_slug.or_else(|| {
            match name.as_bytes() {
                [letter @ b'a'..=b'z'] => Some(usize::from(letter - b'a')),
                _ => None,
            }
            .filter(|position| *position < self.options.len())
        })
    }
}

/// The time by this machine's clock, in milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Formats milliseconds since the Unix epoch as RFC 3339 in UTC; a time past the year 9999 as the epoch.
pub fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(slug: &str) -> PollOption {
        PollOption {
            slug: slug.parse().unwrap(),
            label: slug.to_uppercase(),
            labels: Translations::default(),
            description: None,
            colour: None,
        }
    }

    fn poll() -> Poll {
        Poll {
            id: PollId(1),
            slug: "pets".parse().unwrap(),
            title: "Pets".into(),
            titles: Translations::default(),
            lang: None,
            options: ["cats", "dogs", "a"].map(option).to_vec(),
            choices_min: 1,
            choices_max: 2,
            shuffle: false,
            vote_policy: VotePolicy::KeepFirst,
            voter_policy: VoterPolicy::Open,
            visibility: Visibility::AfterClose,
            opens_at_ms: Some(100),
            closes_at_ms: Some(200),
            archived_at_ms: None,
            revision: 1,
            network_limit: None,
            listed: None,
            secrecy: Secrecy::default(),
        }
    }

    #[test]
    fn the_state_follows_from_the_times() {
        let mut poll = poll();
        assert_eq!(poll.state(99), PollState::Scheduled);
        assert_eq!(poll.state(100), PollState::Open);
        assert_eq!(poll.state(199), PollState::Open);
        assert_eq!(poll.state(200), PollState::Closed);
        assert!(!poll.takes_entry_at(99) && poll.takes_entry_at(100));
        assert!(poll.takes_entry_at(199) && !poll.takes_entry_at(200));
        let complete = |to_ms, now_ms| poll.is_final(to_ms, now_ms);
        assert!(complete(Some(200), 200) && !complete(Some(199), 999) && !complete(None, 999));
        assert!(!complete(Some(999), 199), "it is open still");
        assert!(!poll.shows_results(false) && poll.shows_results(true));
        poll.archived_at_ms = Some(300);
        assert_eq!(poll.state(150), PollState::Archived);
        poll = Poll { opens_at_ms: None, closes_at_ms: None, archived_at_ms: None, ..poll };
        assert_eq!(poll.state(150), PollState::Draft);
        assert!(!poll.takes_entry_at(150));
    }

    #[test]
    fn every_policy_has_a_word_of_its_own_and_no_other_word_is_one() {
        for policy in VotePolicy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(*policy));
            assert_eq!(serde_json::to_string(policy).unwrap(), format!("\"{policy}\""));
        }
        for policy in VoterPolicy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(*policy));
        }
        for word in ["", "Replace", "keep first", "keep_last", "replace "] {
            assert!(word.parse::<VotePolicy>().is_err(), "{word:?}");
        }
        let replacing: Vec<_> = VotePolicy::ALL.iter().filter(|policy| policy.replaces()).collect();
        assert_eq!(replacing, [&VotePolicy::Replace]);
    }

    #[test]
    fn options_are_named_by_slug_or_by_letter_and_the_slug_wins() {
        let poll = poll();
        assert_eq!(poll.choose(["cats"]).unwrap().mask(), 0b001);
        assert_eq!(poll.choose(["b"]).unwrap().mask(), 0b010);
        assert_eq!(poll.choose(["a"]).unwrap().mask(), 0b100);
        assert_eq!(poll.choose(["cats", "cats"]).unwrap().mask(), 0b001);
        for bad in [vec![], vec!["d"], vec!["Cats"], vec!["cats", "dogs", "a"], vec!["cats\0"]] {
            assert!(poll.choose(bad.iter().copied()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_form_marks_the_options_that_exist_and_no_more_than_the_poll_takes() {
        let poll = poll();
        assert_eq!(poll.mark(["birds", "dogs", "dogs", ""]).mask(), 0b010);
        assert_eq!(poll.mark(["dogs", "cats", "a"]).mask(), 0b011);
        assert_eq!(poll.mark([]), Choices::NONE);
    }

    #[test]
    fn a_ballot_may_choose_nothing_exactly_where_the_poll_says_so() {
        let mut poll = poll();
        assert!(poll.choose([]).is_err());
        poll.choices_min = 0;
        let none = poll.choose([]).unwrap();
        assert!(none.is_abstention() && poll.allows(none) && poll.chosen(none).count() == 0);
        assert_eq!(poll.choose(["cats"]).unwrap().mask(), 0b001);
    }

    #[test]
    fn each_broken_rule_of_a_definition_is_named() {
        let good = || Definition {
            slug: "pets".parse().unwrap(),
            title: "Pets".into(),
            titles: Translations::default(),
            lang: None,
            options: ["cats", "dogs"].map(option).to_vec(),
            choices_min: 1,
            choices_max: 1,
            shuffle: false,
            vote_policy: VotePolicy::KeepFirst,
            voter_policy: VoterPolicy::Open,
            visibility: Visibility::Always,
            secret: false,
            keep_votes_days: None,
            network_limit: None,
            listed: None,
            receipts: None,
            opens_at: None,
            closes_at: None,
        };
        assert!(good().validated().is_ok());
        let check = |change: fn(&mut Definition), word: &str| {
            let mut definition = good();
            change(&mut definition);
            let error = definition.validated().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        check(|d| d.title = " ".into(), "title");
        check(|d| d.title = "a\u{0}".into(), "control");
        for hidden in
            ["\u{200B}", "\u{202E}", "\u{2066}", "\u{2069}", "\u{FEFF}", "\u{2060}", "\u{00AD}"]
        {
            let mut definition = good();
            definition.options[1].label = format!("do{hidden}gs");
            let error = definition.validated().unwrap_err().to_string();
            assert!(error.contains("invisible") && error.contains("U+"), "{error}");
        }
        let mut words = good();
        words.options[1].label = "👩\u{200D}🚀 می\u{200C}خواهم".into();
        assert!(words.validated().is_ok(), "words and emoji that need a joiner");
        check(|d| d.title = "x".repeat(201), "title");
        check(|d| d.options.truncate(1), "2 to 63");
        check(|d| d.options[1].slug = d.options[0].slug.clone(), "two options");
        check(|d| d.options[1].label = "x".repeat(300), "label");
        check(|d| d.options[1].colour = Some("red".into()), "colour");
        check(|d| (d.secret, d.receipts) = (true, Some(true)), "receipts");
        check(|d| d.choices_max = 3, "choices_min");
        check(|d| (d.choices_min, d.choices_max) = (0, 0), "choices_max");
        check(|d| d.closes_at = Some(jiff::Timestamp::UNIX_EPOCH), "opens_at");
    }
}
