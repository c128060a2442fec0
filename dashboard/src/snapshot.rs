//! A poll's tally at one moment, and its rendering as JSON and as an event-stream frame.
//!
//! Invariant: a snapshot whose results are hidden reveals no count in any form, except the turnout once a second where the
//! poll allows that. HTML, JSON and event streams are made from snapshots only.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use votestream_schema::db::watermarks::Progress;
use votestream_schema::poll::{PollState, Visibility, rfc3339};
use votestream_schema::tally::Tally;
use votestream_schema::{Poll, Slug};

/// The shortest time between two frames that differ in the turnout of hidden results alone, in milliseconds.
const TURNOUT_EVERY_MS: i64 = 1_000;

/// The definition, counts and state of one poll at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The poll's definition when the tally was read.
    pub poll: Arc<Poll>,
    /// Votes per option and people counted; present even while results are hidden.
    pub tally: Tally,
    /// How far counting had come when the tally was read.
    pub progress: Progress,
    /// The last seconds of the series, as pairs of Unix time in seconds and people counted in that second.
    pub recent: Vec<(i64, i64)>,
    /// The poll's state at the time of this snapshot: scheduled, open, closed or archived.
    pub state: PollState,
    /// Whether the result is complete and cannot change any more. Stays true once it was.
    pub is_final: bool,
    /// Whether viewers may see the counts now.
    pub visible: bool,
    /// When the tally was read, in milliseconds since the epoch.
    pub as_of_ms: i64,
    /// When the last successful read was, in milliseconds since the epoch; `None` while reads succeed.
    pub stale_since_ms: Option<i64>,
}

#[derive(Serialize)]
struct OptionTally<'a> {
    slug: &'a Slug,
    label: &'a str,
    votes: i64,
}

#[derive(Serialize)]
struct TallyBody<'a> {
    poll: &'a Slug,
    state: PollState,
    version: i64,
    voters: i64,
    options: Vec<OptionTally<'a>>,
    /// Of a poll with texts in several languages: a number that changes with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<u32>,
    opens_at: Option<String>,
    closes_at: Option<String>,
    #[serde(rename = "final")]
    is_final: bool,
    complete_to: Option<String>,
    waiting: Option<i64>,
    as_of: String,
    stale: bool,
    stale_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent: Option<&'a [(i64, i64)]>,
}

#[derive(Serialize)]
struct HiddenBody<'a> {
    poll: &'a Slug,
    state: PollState,
    voters: Option<i64>,
    as_of: String,
    #[serde(rename = "final")]
    is_final: bool,
    visibility: Visibility,
    opens_at: Option<String>,
    closes_at: Option<String>,
    stale: bool,
    stale_since: Option<String>,
}

impl Snapshot {
    /// Creates the snapshot of a poll from a tally that was read at `now_ms`, in milliseconds since the epoch.
    pub fn new(
        poll: Arc<Poll>,
        tally: Tally,
        progress: Progress,
        recent: Vec<(i64, i64)>,
        now_ms: i64,
    ) -> Self {
        let is_final = poll.is_final(progress.complete_to_ms, now_ms);
        Self {
            state: poll.state(now_ms),
            is_final,
            visible: poll.shows_results(is_final),
            poll,
            tally,
            progress,
            recent,
            as_of_ms: now_ms,
            stale_since_ms: None,
        }
    }

    /// Returns the snapshot as somebody sees it who has voted, if that differs from what everybody may see, or did so before the
    /// result was final.
    pub fn for_voters(&self) -> Option<Self> {
        let is_open = self.poll.shows_results_to_voters();
        is_open.then(|| Self { visible: true, ..self.clone() })
    }

    /// Returns whether viewers need a new frame after `before`. While results are hidden a changed tally does not count as
    /// a difference, because the rhythm of frames would reveal when votes are counted.
    pub fn differs_from(&self, before: &Self) -> bool {
        (self.visible && self.tally.version != before.tally.version)
            || self.state != before.state
            || self.is_final != before.is_final
            // While a poll is open, each frame has the number that waits, and a change of it alone is no news.
            || (self.is_counting() && self.progress.waiting != before.progress.waiting)
            || self.visible != before.visible
            || self.stale_since_ms != before.stale_since_ms
            || self.poll.revision != before.poll.revision
    }

    /// Whether the poll has closed and its last ballots are still being counted.
    pub fn is_counting(&self) -> bool {
        matches!(self.state, PollState::Closed | PollState::Archived) && !self.is_final
    }

    /// The number of people counted, if it may be shown: also while results are hidden, unless they are the operator's alone.
    pub fn turnout(&self) -> Option<i64> {
        (self.visible || self.poll.shows_turnout()).then_some(self.tally.voters)
    }

    /// Whether viewers of hidden results need a new frame, because the turnout has changed since the frame that they have.
    /// There is at most one a second.
    pub fn has_news_of_turnout(&self, shown: &Self) -> bool {
        let changed = self.turnout() != shown.turnout();
        !self.visible && changed && self.as_of_ms - shown.as_of_ms >= TURNOUT_EVERY_MS
    }

    /// Renders the reply to `GET …/tally`, or returns `None` while results are hidden.
    pub fn tally_json(&self) -> Option<String> {
        self.visible.then(|| to_json(&self.body(None)))
    }

    /// Renders the event-stream frame: an event `tally` with all counts, or `hidden` without any.
    pub fn frame(&self) -> Bytes {
        let text = if self.visible {
            let json = to_json(&self.body(Some(&self.recent)));
            format!("event: tally\nid: {}\ndata: {json}\n\n", self.tally.version)
        } else {
            format!("event: hidden\ndata: {}\n\n", to_json(&self.hidden_body()))
        };
        text.into()
    }

    fn body<'a>(&'a self, recent: Option<&'a [(i64, i64)]>) -> TallyBody<'a> {
        let votes = self.tally.votes.iter().copied().chain(std::iter::repeat(0));
        let options = self.poll.options.iter().zip(votes).map(|(option, votes)| OptionTally {
            slug: &option.slug,
            label: &option.label,
            votes,
        });
        TallyBody {
            poll: &self.poll.slug,
            state: self.state,
            version: self.tally.version,
            voters: self.tally.voters,
            options: options.collect(),
            words: self.poll.words(),
            opens_at: self.poll.opens_at_ms.map(rfc3339),
            closes_at: self.poll.closes_at_ms.map(rfc3339),
            is_final: self.is_final,
            complete_to: self.progress.complete_to_ms.map(rfc3339),
            waiting: self.progress.waiting,
            as_of: rfc3339(self.as_of_ms),
            stale: self.stale_since_ms.is_some(),
            stale_since: self.stale_since_ms.map(rfc3339),
            recent,
        }
    }

    fn hidden_body(&self) -> HiddenBody<'_> {
        HiddenBody {
            poll: &self.poll.slug,
            state: self.state,
            voters: self.turnout(),
            as_of: rfc3339(self.as_of_ms),
            is_final: self.is_final,
            visibility: self.poll.visibility,
            opens_at: self.poll.opens_at_ms.map(rfc3339),
            closes_at: self.poll.closes_at_ms.map(rfc3339),
            stale: self.stale_since_ms.is_some(),
            stale_since: self.stale_since_ms.map(rfc3339),
        }
    }
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("plain structs of texts and numbers always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_schema::PollId;
    use votestream_schema::poll::secrecy::Secrecy;
    use votestream_schema::poll::translations::Translations;
    use votestream_schema::poll::{PollOption, VotePolicy, VoterPolicy};

    fn snapshot(visibility: Visibility) -> Snapshot {
        let option = |slug: &str, label: &str| PollOption {
            slug: slug.parse().unwrap(),
            label: label.into(),
            labels: Translations::default(),
            description: None,
            colour: None,
        };
        let poll = Poll {
            id: PollId(1),
            slug: "pets".parse().unwrap(),
            title: "Pets".into(),
            titles: Translations::default(),
            lang: None,
            options: vec![option("cats", "Cats"), option("dogs", "Dogs\nand \"more\"")],
            choices_min: 1,
            choices_max: 1,
            shuffle: false,
            vote_policy: VotePolicy::KeepFirst,
            voter_policy: VoterPolicy::Open,
            visibility,
            opens_at_ms: Some(0),
            closes_at_ms: Some(10_000),
            archived_at_ms: None,
            revision: 1,
            network_limit: None,
            listed: None,
            secrecy: Secrecy::default(),
        };
        let tally = Tally { version: 12, voters: 99, votes: vec![60, 39] };
        let progress = Progress { complete_to_ms: Some(4_000), waiting: Some(3) };
        Snapshot::new(Arc::new(poll), tally, progress, vec![(4, 7)], 5_000)
    }

    #[test]
    fn a_frame_is_what_it_always_was() {
        assert_eq!(
            snapshot(Visibility::Always).frame(),
            "event: tally\nid: 12\ndata: {\"poll\":\"pets\",\"state\":\"open\",\"version\":12,\
             \"voters\":99,\"options\":[{\"slug\":\"cats\",\"label\":\"Cats\",\"votes\":60},\
             {\"slug\":\"dogs\",\"label\":\"Dogs\\nand \\\"more\\\"\",\"votes\":39}],\
             \"opens_at\":\"1970-01-01T00:00:00Z\",\"closes_at\":\"1970-01-01T00:00:10Z\",\
             \"final\":false,\"complete_to\":\"1970-01-01T00:00:04Z\",\"waiting\":3,\
             \"as_of\":\"1970-01-01T00:00:05Z\",\"stale\":false,\"stale_since\":null,\
             \"recent\":[[4,7]]}\n\n"
        );
    }

    #[test]
    fn a_frame_has_a_number_for_the_words_of_several_languages() {
        let words = |snapshot: &Snapshot| {
            let json: serde_json::Value =
                serde_json::from_str(&snapshot.tally_json().unwrap()).unwrap();
            json.get("words").and_then(serde_json::Value::as_u64)
        };
        let mut several = snapshot(Visibility::Always);
        assert_eq!(words(&several), None);
        let change = |snapshot: &mut Snapshot, text: &str| {
            let poll = Arc::make_mut(&mut snapshot.poll);
            poll.options[0].labels.set("de".parse().unwrap(), Some(text.to_owned()));
        };
        change(&mut several, "Katzen");
        let first = words(&several);
        assert!(first.is_some());
        Arc::make_mut(&mut several.poll).revision += 1;
        assert_eq!(words(&several), first, "another time is no other word");
        change(&mut several, "Katzen!");
        assert!(words(&several).is_some_and(|now| Some(now) != first));
    }

    #[test]
    fn a_hidden_frame_says_whether_it_is_stale() {
        let fresh = snapshot(Visibility::AfterClose);
        let stale = Snapshot { stale_since_ms: Some(4_000), ..fresh.clone() };
        let expected = |stale: &str| {
            format!(
                "event: hidden\ndata: {{\"poll\":\"pets\",\"state\":\"open\",\"voters\":99,\
                 \"as_of\":\"1970-01-01T00:00:05Z\",\"final\":false,\
                 \"visibility\":\"after_close\",\"opens_at\":\"1970-01-01T00:00:00Z\",\
                 \"closes_at\":\"1970-01-01T00:00:10Z\",{stale}}}\n\n"
            )
        };
        assert_eq!(fresh.frame(), expected("\"stale\":false,\"stale_since\":null"));
        let since = "\"stale\":true,\"stale_since\":\"1970-01-01T00:00:04Z\"";
        assert_eq!(stale.frame(), expected(since));
        assert!(stale.differs_from(&fresh));
    }

    #[test]
    fn hidden_results_leak_no_number() {
        for visibility in [Visibility::AfterClose, Visibility::AfterVote, Visibility::Admin] {
            let hidden = snapshot(visibility);
            assert_eq!(hidden.tally_json(), None);
            let frame = String::from_utf8(hidden.frame().to_vec()).unwrap();
            assert!(frame.starts_with("event: hidden\ndata: {"), "{frame}");
            for count in ["60", "39", "12", "votes", "version"] {
                assert!(!frame.contains(count), "{frame}");
            }
            assert_eq!(frame.contains("\"voters\":99"), visibility != Visibility::Admin);
        }
    }

    #[test]
    fn the_turnout_of_hidden_results_is_news_once_a_second() {
        let shown = snapshot(Visibility::AfterClose);
        let later = |ms, voters| {
            let tally = Tally { voters, ..shown.tally.clone() };
            Snapshot { as_of_ms: shown.as_of_ms + ms, tally, ..shown.clone() }
        };
        assert!(later(1_000, 100).has_news_of_turnout(&shown));
        assert!(!later(999, 100).has_news_of_turnout(&shown));
        assert!(!later(5_000, 99).has_news_of_turnout(&shown));
        let kept = snapshot(Visibility::Admin);
        let tally = Tally { voters: 100, ..kept.tally.clone() };
        let more = Snapshot { as_of_ms: kept.as_of_ms + 5_000, tally, ..kept.clone() };
        assert!(!more.has_news_of_turnout(&kept));
    }

    #[test]
    fn every_difference_but_time_makes_a_new_frame() {
        let before = snapshot(Visibility::Always);
        let mut after = before.clone();
        after.as_of_ms += 100;
        assert!(!after.differs_from(&before));
        after.stale_since_ms = Some(1);
        assert!(after.differs_from(&before));
        let counted =
            Snapshot { tally: Tally { version: 13, ..before.tally.clone() }, ..before.clone() };
        assert!(counted.differs_from(&before));
        let hidden = Snapshot { visible: false, ..before.clone() };
        assert!(hidden.differs_from(&before));
        assert!(!Snapshot { visible: false, ..counted }.differs_from(&hidden));
        let closed = Snapshot { state: PollState::Closed, ..before.clone() };
        assert!(closed.differs_from(&before));
        // What waits is news once the poll has closed, and so is that it is final.
        let fewer = Progress { waiting: Some(1), ..before.progress };
        assert!(!Snapshot { progress: fewer, ..before.clone() }.differs_from(&before));
        assert!(Snapshot { progress: fewer, ..closed.clone() }.differs_from(&closed));
        assert!(Snapshot { is_final: true, ..closed.clone() }.differs_from(&closed));
    }

    #[test]
    fn a_result_is_final_when_the_watermark_has_passed_the_closing_time() {
        let Snapshot { poll, tally, .. } = snapshot(Visibility::AfterClose);
        let at = |complete_to_ms, now_ms| {
            let progress = Progress { complete_to_ms, waiting: None };
            Snapshot::new(poll.clone(), tally.clone(), progress, Vec::new(), now_ms)
        };
        for (complete_to_ms, now_ms) in
            [(None, 10_000), (Some(9_999), 99_000), (Some(99_000), 9_999)]
        {
            let snapshot = at(complete_to_ms, now_ms);
            assert!(!snapshot.is_final && !snapshot.visible, "{complete_to_ms:?} at {now_ms}");
        }
        assert!(at(Some(9_999), 10_000).is_counting());
        let complete = at(Some(10_000), 10_000);
        assert!(complete.is_final && complete.visible && !complete.is_counting());
    }
}
