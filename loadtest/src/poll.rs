//! The poll and its tally, as the deployment describes them in JSON.

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

/// The most options that a poll may have. Choices are a bit mask in a signed 64-bit integer.
const OPTIONS_MAX: usize = 63;

/// A poll as `GET /api/polls/{slug}` describes it, with only the fields that the load tester needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Poll {
    /// The poll's short name in addresses.
    pub slug: String,
    /// The poll's title, for the report.
    pub title: String,
    /// The state of the poll. A run needs `open`.
    pub state: String,
    /// The options in the order of their positions.
    pub options: Vec<PollOption>,
    /// The least number of choices of a ballot.
    pub choices_min: u32,
    /// The largest number of choices of a ballot.
    pub choices_max: u32,
    /// Which of a voter's ballots counts.
    pub vote_policy: VotePolicy,
    /// Who may vote in the poll.
    pub voter_policy: VoterPolicy,
    /// Who may see the results, and when.
    pub visibility: String,
}

/// One option of the poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PollOption {
    /// The option's short name, as it stands in ballots.
    pub slug: String,
    /// The option's name on the page.
    pub label: String,
}

/// Which of a voter's ballots counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VotePolicy {
    /// The first one counts, and later ones are refused.
    KeepFirst,
    /// The newest one counts, and replaces those before it.
    Replace,
}

impl VotePolicy {
    /// Returns whether a voter's newer ballot replaces the older one. If it does not, the newer one
    /// is refused.
    pub(crate) fn replaces(self) -> bool {
        match self {
            Self::KeepFirst => false,
            Self::Replace => true,
        }
    }
}

/// Who may vote in the poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoterPolicy {
    /// Anybody may vote, once for each cookie.
    Open,
    /// Only people with a voting code may vote.
    Code,
}

impl Poll {
    /// Parses the producer's description of a poll.
    ///
    /// # Errors
    /// Returns an error if the JSON is unknown, or the numbers of options or choices make no sense.
    pub(crate) fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let poll: Self = serde_json::from_slice(json)
            .context("the description of the poll is not JSON of a known form")?;
        ensure!(
            (1..=OPTIONS_MAX).contains(&poll.options.len()),
            "the poll has {} options; this tool votes in polls of 1 to {OPTIONS_MAX}",
            poll.options.len()
        );
        ensure!(poll.choices_min <= poll.choices_max, "choices_min is above choices_max");
        Ok(poll)
    }

    /// Returns the number of choices of every ballot that the load tester sends: one, or half of
    /// the options in a poll that allows several, as far as the poll allows. The number is fixed
    /// because the audit over HTTP needs it to compare votes with voters.
    pub(crate) fn choices(&self) -> u32 {
        let options = self.options.len() as u32;
        let wish = if self.choices_max == 1 { 1 } else { options.div_ceil(2) };
        wish.clamp(self.choices_min.max(1), self.choices_max.min(options).max(1))
    }

    /// Returns the bit mask of these options, where bit 0 is the first option; `None` if a slug is
    /// not an option.
    pub(crate) fn mask<'a>(&self, slugs: impl IntoIterator<Item = &'a str>) -> Option<u64> {
        let mut mask = 0;
        for slug in slugs {
            mask |= 1 << self.options.iter().position(|option| option.slug == slug)?;
        }
        Some(mask)
    }

    /// Returns the slugs of the options in a bit mask.
    pub(crate) fn slugs(&self, mask: u64) -> Vec<&str> {
        let chosen = self.options.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
        chosen.map(|(_, option)| option.slug.as_str()).collect()
    }
}

/// The tally at one moment, with votes in the order of the poll's options.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Snapshot {
    /// A number that grows with every change of the tally.
    pub version: u64,
    /// The number of voters who are counted.
    pub voters: u64,
    /// Votes by option position.
    pub votes: Vec<u64>,
    /// The time at which the tally was read, as RFC 3339.
    pub at: String,
    /// Accepted ballots that are not settled yet, as the deployment says; absent if it does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// The watermark: every ballot that came in before this time is settled, as RFC 3339; absent if
    /// the deployment does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_to: Option<String>,
    /// Whether the result is final; absent if the deployment never says how far counting has come.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub is_final: Option<bool>,
}

/// How far counting has come, as the deployment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Nothing waits any more.
    Settled,
    /// This many accepted ballots are not settled yet.
    Waiting(u64),
    /// The deployment does not know at present.
    Unknown,
    /// The deployment is of a release that never says it.
    Unstated,
}

#[derive(Deserialize)]
struct Tally {
    version: u64,
    voters: u64,
    options: Vec<TallyOption>,
    #[serde(default)]
    stale: bool,
    waiting: Option<u64>,
    complete_to: Option<String>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
}

#[derive(Deserialize)]
struct TallyOption {
    slug: String,
    votes: u64,
}

impl Snapshot {
    /// Parses the dashboard's tally.
    ///
    /// # Errors
    /// Returns an error if the JSON is unknown, lacks an option, or says that the tally is stale.
    pub(crate) fn parse(json: &[u8], poll: &Poll) -> anyhow::Result<Self> {
        let tally: Tally =
            serde_json::from_slice(json).context("the tally is not JSON of a known form")?;
        if tally.stale {
            bail!("the tally is stale: the dashboard cannot reach its database");
        }
        let votes = poll.options.iter().map(|option| {
            let same = tally.options.iter().find(|counted| counted.slug == option.slug);
            same.map(|counted| counted.votes)
                .with_context(|| format!("the tally has no option '{}'", option.slug))
        });
        let votes = votes.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self {
            version: tally.version,
            voters: tally.voters,
            votes,
            at: crate::measure::clock::utc_now(),
            waiting: tally.waiting,
            complete_to: tally.complete_to,
            is_final: tally.is_final,
        })
    }

    /// Returns how far counting has come.
    pub(crate) fn counting(&self) -> Counting {
        match (self.is_final, self.waiting) {
            (None, _) => Counting::Unstated,
            (Some(true), _) | (_, Some(0)) => Counting::Settled,
            (_, Some(waiting)) => Counting::Waiting(waiting),
            (_, None) => Counting::Unknown,
        }
    }
}

#[cfg(test)]
pub(crate) fn sample(options: &[&str], choices_max: u32, vote_policy: VotePolicy) -> Poll {
    let option = |slug: &&str| PollOption { slug: (*slug).to_owned(), label: slug.to_uppercase() };
    Poll {
        slug: "cats-vs-dogs".into(),
        title: "Cats vs Dogs".into(),
        state: "open".into(),
        options: options.iter().map(option).collect(),
        choices_min: 1,
        choices_max,
        vote_policy,
        voter_policy: VoterPolicy::Open,
        visibility: "always".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_come_in_the_polls_order() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let json = br#"{"poll":"x","version":4,"voters":3,"options":[{"slug":"dogs","votes":2},{"slug":"cats","votes":1}],"stale":false}"#;
        assert_eq!(Snapshot::parse(json, &poll).unwrap().votes, [1, 2]);
    }

    #[test]
    fn every_vote_policy_of_the_service_means_the_same_here() {
        use votestream_schema::poll::VotePolicy as Theirs;
        for theirs in Theirs::ALL {
            let ours: VotePolicy = serde_json::from_str(&format!("\"{theirs}\"")).unwrap();
            assert_eq!(ours.replaces(), theirs.replaces(), "{theirs}");
        }
    }

    #[test]
    fn what_waits_is_known_unknown_or_never_stated() {
        let poll = sample(&["cats"], 1, VotePolicy::KeepFirst);
        let counting = |more: &str| {
            let json = format!(
                r#"{{"version":4,"voters":3,"options":[{{"slug":"cats","votes":2}}]{more}}}"#
            );
            Snapshot::parse(json.as_bytes(), &poll).unwrap().counting()
        };
        assert_eq!(counting(""), Counting::Unstated);
        let open = r#","final":false,"complete_to":null,"waiting":"#;
        assert_eq!(counting(&format!("{open}null")), Counting::Unknown);
        assert_eq!(counting(&format!("{open}300")), Counting::Waiting(300));
        assert_eq!(counting(&format!("{open}0")), Counting::Settled);
        assert_eq!(counting(r#","final":true,"waiting":null"#), Counting::Settled);
    }

    #[test]
    fn stale_tally_is_no_tally() {
        let poll = sample(&["cats"], 1, VotePolicy::KeepFirst);
        let json =
            br#"{"version":4,"voters":3,"options":[{"slug":"cats","votes":2}],"stale":true}"#;
        assert!(Snapshot::parse(json, &poll).is_err());
    }

    #[test]
    fn masks_and_slugs_translate_both_ways() {
        let poll = sample(&["a", "b", "c"], 2, VotePolicy::KeepFirst);
        assert_eq!(poll.mask(["c", "a"]), Some(0b101));
        assert_eq!(poll.slugs(0b101), ["a", "c"]);
        assert_eq!(poll.mask(["x"]), None);
        assert_eq!(poll.choices(), 2);
    }
}
