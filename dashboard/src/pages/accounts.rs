//! The accounts of a poll: what became of every ballot that was accepted.

use askama::Template;
use votestream_schema::db::accounts::Account;
use votestream_schema::poll::rfc3339;
use votestream_service::http::BasePath;
use votestream_service::page::plain_time;

use crate::pages::{FILES, grouped};

/// The account of one poll.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "accounts.html")]
pub struct AccountsPage {
    /// The poll's question, as people read it.
    pub title: String,
    /// The path in front of all addresses.
    pub base: BasePath,
    /// The poll's slug; the script reads this page again.
    pub slug: String,
    /// Whether lists may name the poll; search engines are asked to leave out the others.
    pub is_listed: bool,
    /// The last account; `None` if none has been taken yet.
    pub account: Option<Account>,
    /// The time of this page, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// An account that is older than this is called old, in milliseconds.
const OLD_MS: i64 = 15_000;

/// One line of the account.
struct Line {
    name: &'static str,
    ballots: Option<i64>,
    words: &'static str,
}

/// Whether the lines add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Balance {
    /// Every ballot that was accepted is in one of the lines.
    Balanced,
    /// So many ballots are in no line.
    Missing(u64),
    /// So many ballots are in the lines, and were not accepted.
    Surplus(u64),
    /// Nobody knows how many ballots were accepted.
    Unknown,
}

impl Balance {
    /// The word for style sheets.
    fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Missing(_) => "missing",
            Self::Surplus(_) => "surplus",
            Self::Unknown => "unknown",
        }
    }
}

impl AccountsPage {
    fn lines(account: &Account) -> [Line; 7] {
        let line = |name, ballots, words| Line { name, ballots: Some(ballots), words };
        [
            line("Counted", account.counted, "They are in the result."),
            line(
                "Replaced",
                account.replaced,
                "Another ballot of the same voter counts. How many ballots a voter may send is the poll’s rule.",
            ),
            line(
                "Out of time",
                account.out_of_time,
                "They came in while the poll was not open, and were accepted because its times changed at that moment.",
            ),
            line(
                "No such code",
                account.no_such_code,
                "Their voter has no voting code of this poll.",
            ),
            line(
                "Set apart",
                account.dead,
                "They cannot be read or counted, and are kept for the operator to decide.",
            ),
            line(
                "Dropped",
                account.dropped,
                "They had been set apart, and the operator removed them.",
            ),
            line("Waiting", account.waiting, "They are stored and will be counted next."),
        ]
    }

    fn balance(account: &Account) -> Balance {
        match account.unexplained {
            None => Balance::Unknown,
            Some(0) => Balance::Balanced,
            Some(ballots @ 1..) => Balance::Missing(ballots.unsigned_abs()),
            Some(ballots) => Balance::Surplus(ballots.unsigned_abs()),
        }
    }

    fn is_old(&self, account: &Account) -> bool {
        self.now_ms - account.taken_at_ms > OLD_MS
    }

    /// Says whether the lines add up, and since when they do not.
    fn balance_words(account: &Account) -> String {
        let since = account.differs_since_ms.map(|at| format!(", since {}", Self::time_words(&at)));
        let since = since.unwrap_or_default();
        match Self::balance(account) {
            Balance::Balanced => {
                "The account balances: every accepted ballot is in one of these lines.".to_owned()
            }
            Balance::Missing(1) => format!(
                "1 ballot is missing{since}: it was accepted, and is in none of these lines. The people who run this poll \
                 must look for it."
            ),
            Balance::Missing(ballots) => format!(
                "{} ballots are missing{since}: they were accepted, and are in none of these lines. The people who run \
                 this poll must look for them.",
                grouped(ballots)
            ),
            Balance::Surplus(1) => format!(
                "There is 1 ballot more than were accepted{since}. The people who run this poll must find out where it \
                 came from."
            ),
            Balance::Surplus(ballots) => format!(
                "There are {} ballots more than were accepted{since}. The people who run this poll must find out where \
                 they came from.",
                grouped(ballots)
            ),
            Balance::Unknown => "It is not known how many ballots were accepted: the server that counts them went back \
                 to an earlier state."
                .to_owned(),
        }
    }

    fn time(ms: &i64) -> String {
        rfc3339(*ms)
    }

    fn time_words(ms: &i64) -> String {
        plain_time(&rfc3339(*ms))
    }

    fn number(ballots: &Option<i64>) -> String {
        match ballots {
            None => "not known".to_owned(),
            Some(ballots @ 0..) => grouped(ballots.unsigned_abs()),
            Some(ballots) => format!("−{}", grouped(ballots.unsigned_abs())),
        }
    }

    fn file(&self, name: &str) -> String {
        self.base.join(FILES.path(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(account: Account) -> String {
        let account = Some(Account { taken_at_ms: 1_000, ..account });
        AccountsPage { account, now_ms: 2_000, ..AccountsPage::default() }.render().unwrap()
    }

    #[test]
    fn the_page_says_whether_the_lines_add_up() {
        let since = Some(500);
        for (unexplained, differs_since_ms, words) in [
            (Some(0), None, "The account balances"),
            (Some(1), since, "1 ballot is missing"),
            (Some(1_234), since, "1,234 ballots are missing"),
            (Some(-2), since, "2 ballots more than were accepted"),
            (None, None, "not known how many ballots were accepted"),
        ] {
            let account = Account { unexplained, differs_since_ms, ..Account::default() };
            let html = page(account);
            assert!(html.contains(words), "{html}");
            assert_eq!(html.contains("since"), since == differs_since_ms, "{html}");
            assert_eq!(html.contains("The account balances"), unexplained == Some(0));
        }
    }

    #[test]
    fn an_old_account_and_a_missing_one_are_called_so() {
        let html = AccountsPage::default().render().unwrap();
        assert!(html.contains("has not been taken yet") && !html.contains("balances"), "{html}");
        let account = Account { unexplained: Some(0), ..Account::default() };
        let page =
            AccountsPage { account: Some(account), now_ms: 15_001, ..AccountsPage::default() };
        assert!(page.render().unwrap().contains("This account is old"));
    }
}
