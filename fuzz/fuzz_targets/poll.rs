//! A poll for the fuzzed submissions. One option has the letter `a` as its slug, and several choices are allowed.

use std::sync::LazyLock;

use votestream_schema::poll::secrecy::Secrecy;
use votestream_schema::poll::translations::Translations;
use votestream_schema::poll::{Visibility, VotePolicy, VoterPolicy};
use votestream_schema::submission::Submission;
use votestream_schema::{Poll, PollId, PollOption};

static POLL: LazyLock<Poll> = LazyLock::new(|| Poll {
    id: PollId(1),
    slug: "pets".parse().expect("a slug"),
    title: "Pets".into(),
    titles: Translations::default(),
    lang: None,
    options: ["cats", "dogs", "a", "hamsters-and-mice"].map(option).to_vec(),
    choices_min: 1,
    choices_max: 3,
    shuffle: false,
    vote_policy: VotePolicy::KeepFirst,
    voter_policy: VoterPolicy::Code,
    visibility: Visibility::Always,
    opens_at_ms: Some(0),
    closes_at_ms: None,
    archived_at_ms: None,
    revision: 1,
    network_limit: None,
    listed: None,
    secrecy: Secrecy::default(),
});

fn option(slug: &str) -> PollOption {
    let slug = slug.parse().expect("a slug");
    PollOption {
        slug,
        label: "Label".into(),
        labels: Translations::default(),
        description: None,
        colour: None,
    }
}

/// Checks that a form marks no more options than the poll takes, that accepted choices are allowed by the poll, and that their
/// slugs lead to the same choices.
pub fn choose(submission: &Submission) {
    let marked = POLL.mark(submission.choices.iter().map(String::as_str));
    assert!(marked.is_abstention() || POLL.allows(marked));
    let Ok(choices) = POLL.choose(submission.choices.iter().map(String::as_str)) else { return };
    assert!(POLL.allows(choices));
    let slugs: Vec<&str> = POLL.chosen(choices).map(|option| option.slug.as_str()).collect();
    assert_eq!(POLL.choose(slugs), Ok(choices));
}
