//! A voter with its behaviour and its cookie.
//!
//! Invariant: a voter depends only on the seed and its number. So every shard, and every repetition
//! of a run, has the same voters.

use std::sync::Arc;

use crate::poll::Poll;
use crate::rng::Rng;
use crate::voters::mix::Mix;
use crate::voters::weights::Weights;

/// The behaviour of a voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Sends one ballot and reads the reply.
    Once,
    /// Sends the same ballot again.
    Twice,
    /// Sends a second ballot with another choice.
    Change,
    /// Sends a second ballot with the same cookie on another connection.
    OtherConnection,
    /// Sends a request that is no valid ballot.
    Rubbish,
    /// Sends one ballot and hangs up before the reply.
    HangUp,
}

/// One voter, with everything that it will do.
#[derive(Debug, Clone)]
pub(crate) struct Voter {
    pub(crate) number: u64,
    pub(crate) behaviour: Behaviour,
    /// Whether it loads the ballot page first.
    pub(crate) page: bool,
    /// Whether it posts the HTML form instead of JSON.
    pub(crate) form: bool,
    /// Whether it opens a connection of its own.
    pub(crate) fresh: bool,
    /// The choices of its first ballot, as a bit mask.
    pub(crate) first: u64,
    /// The choices of its second ballot, as a bit mask.
    pub(crate) second: u64,
    /// The `name=value` of its cookie; `None` until a reply has set one.
    pub(crate) cookie: Option<Box<str>>,
}

impl Voter {
    /// Returns the voter's id from the signed cookie, whose value is `v1.<32
    /// hex>.<issued>.<signature>`.
    pub(crate) fn id(&self) -> Option<u128> {
        let value = self.cookie.as_deref()?.split_once('=')?.1;
        let mut fields = value.split('.').skip(1);
        let id = fields.next().filter(|id| id.len() == 32)?;
        u128::from_str_radix(id, 16).ok()
    }

    /// Returns whether the voter sends a second ballot.
    pub(crate) fn comes_back(&self) -> bool {
        matches!(self.behaviour, Behaviour::Twice | Behaviour::Change | Behaviour::OtherConnection)
    }
}

/// All voters of a run. They are made one by one when they are due.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) seed: u64,
    pub(crate) mix: Mix,
    pub(crate) weights: Weights,
    pub(crate) poll: Arc<Poll>,
    /// Voting codes by voter number, if the poll requires them.
    pub(crate) codes: Option<Arc<Vec<String>>>,
    /// Signed cookies by voter number, if voters have ids from the start.
    pub(crate) cookies: Option<Arc<Vec<String>>>,
}

impl Crowd {
    /// Returns the voter of this number.
    pub(crate) fn voter(&self, number: u64) -> Voter {
        let mut rng = Rng::for_index(self.seed, number);
        let behaviour = self.behaviour(rng.unit());
        let mut has = |share: f64| rng.unit() < share;
        let page = has(self.mix.page) || behaviour == Behaviour::HangUp;
        let (form, fresh) = (has(self.mix.form), has(self.mix.fresh));
        let first = self.choices(&mut rng, 0);
        let second = match behaviour {
            Behaviour::Change => self.choices(&mut rng, first),
            _ => first,
        };
        let cookie = self.cookie(number);
        Voter { number, behaviour, page, form, fresh, first, second, cookie }
    }

    fn cookie(&self, number: u64) -> Option<Box<str>> {
        let cookie = self.cookies.as_ref()?.get(usize::try_from(number).ok()?)?;
        Some(cookie.as_str().into())
    }

    /// Returns the voting code of this number, if the poll requires one.
    pub(crate) fn code(&self, number: u64) -> Option<&str> {
        self.codes.as_ref()?.get(usize::try_from(number).ok()?).map(String::as_str)
    }

    fn behaviour(&self, mut at: f64) -> Behaviour {
        use Behaviour::{Change, HangUp, Once, OtherConnection, Rubbish, Twice};
        let manners = [Twice, Change, OtherConnection, Rubbish, HangUp];
        for (behaviour, share) in manners.into_iter().zip(self.mix.exclusive()) {
            if at < share {
                return behaviour;
            }
            at -= share;
        }
        Once
    }

    /// Draws as many choices as ballots have in this poll. If `former` is given, at least one
    /// choice is not in it, as far as the weights allow.
    fn choices(&self, rng: &mut Rng, former: u64) -> u64 {
        let mut mask = 0_u64;
        if let Some(other) = self.weights.draw(rng.unit(), former).filter(|_| former != 0) {
            mask |= 1 << other;
        }
        while mask.count_ones() < self.poll.choices() {
            match self.weights.draw(rng.unit(), mask) {
                Some(at) => mask |= 1 << at,
                None => break,
            }
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};

    fn crowd(mix: &str, weights: Option<&str>) -> Crowd {
        let poll = Arc::new(sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst));
        let weights = Weights::parse(weights, &poll).unwrap();
        Crowd { seed: 3, mix: mix.parse().unwrap(), weights, poll, codes: None, cookies: None }
    }

    #[test]
    fn shares_and_weights_are_kept() {
        let crowd = crowd("twice=20%,hang-up=10%,page=50%", Some("cats=60,dogs=40"));
        let voters: Vec<_> = (0..20_000).map(|n| crowd.voter(n)).collect();
        let share =
            |test: &dyn Fn(&Voter) -> bool| voters.iter().filter(|v| test(v)).count() as f64 / 2e4;
        assert!((share(&|v| v.behaviour == Behaviour::Twice) - 0.2).abs() < 0.01);
        assert!((share(&|v| v.behaviour == Behaviour::HangUp) - 0.1).abs() < 0.01);
        assert!((share(&|v| v.page) - 0.55).abs() < 0.01); // half, and all who hang up
        assert!((share(&|v| v.first == 1) - 0.6).abs() < 0.01);
    }

    #[test]
    fn who_changes_their_mind_chooses_something_else() {
        let crowd = crowd("change=100%", None);
        assert!((0..100).map(|n| crowd.voter(n)).all(|v| v.first != v.second));
    }

    #[test]
    fn voters_have_the_cookies_that_were_signed_for_them() {
        let cookie = "voter=v1.0000000000000000000000000000002a.68.ff".to_owned();
        let crowd = Crowd { cookies: Some(Arc::new(vec![cookie])), ..crowd("", None) };
        assert_eq!((crowd.voter(0).id(), crowd.voter(1).id()), (Some(42), None));
    }

    #[test]
    fn the_id_stands_in_the_cookie() {
        let mut voter = crowd("", None).voter(1);
        assert_eq!(voter.id(), None);
        voter.cookie = Some("__Host-voter=v1.0000000000000000000000000000002a.68.ff".into());
        assert_eq!(voter.id(), Some(42));
    }
}
