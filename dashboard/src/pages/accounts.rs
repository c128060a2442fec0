//! The accounts of a poll: what became of every ballot that was accepted.

use std::borrow::Cow;

use askama::Template;
use votestream_schema::db::accounts::Account;
use votestream_schema::poll::rfc3339;
use votestream_service::http::BasePath;
use votestream_service::language::{Message, Words};
use votestream_service::page::plain_time;

use crate::pages::FILES;

/// The account of one poll.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "accounts.html")]
pub struct AccountsPage {
    /// The language.
    pub words: Words,
    /// The poll's question, as people read it.
    pub title: String,
    /// The language of the title, if it is known and is not that of the page.
    pub title_lang: Option<String>,
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

/// One line of the account: its name and meaning in the catalogue, and its ballots.
struct Line {
    name: &'static str,
    meaning: &'static str,
    ballots: Option<i64>,
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
    fn page_title(&self) -> Cow<'static, str> {
        self.words.say(&Message::new("account-title").with("title", self.title.as_str()))
    }

    fn results_link(&self) -> String {
        self.words.link(self.base.join(&format!("/polls/{}", self.slug)))
    }

    fn lines(account: &Account) -> [Line; 7] {
        let line = |name, meaning, ballots| Line { name, meaning, ballots: Some(ballots) };
        [
            line("account-counted", "account-counted-words", account.counted),
            line("account-replaced", "account-replaced-words", account.replaced),
            line("account-out-of-time", "account-out-of-time-words", account.out_of_time),
            line("account-no-code", "account-no-code-words", account.no_such_code),
            line("account-dead", "account-dead-words", account.dead),
            line("account-dropped", "account-dropped-words", account.dropped),
            line("account-waiting", "account-waiting-words", account.waiting),
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
    fn balance_words(&self, account: &Account) -> Cow<'static, str> {
        let differs = |id, ballots| {
            let since = account.differs_since_ms.unwrap_or(account.taken_at_ms);
            let message = Message::new(id).with("since", Self::time_words(&since));
            self.words.say(&message.with("ballots", ballots))
        };
        match Self::balance(account) {
            Balance::Balanced => self.words.text("account-balanced"),
            Balance::Missing(ballots) => differs("account-missing", ballots),
            Balance::Surplus(ballots) => differs("account-surplus", ballots),
            Balance::Unknown => self.words.text("account-unknown"),
        }
    }

    fn time(ms: &i64) -> String {
        rfc3339(*ms)
    }

    fn time_words(ms: &i64) -> String {
        plain_time(&rfc3339(*ms))
    }

    fn number(&self, ballots: &Option<i64>) -> Cow<'static, str> {
        let Some(ballots) = ballots else { return self.words.text("account-number-unknown") };
        let sign = if *ballots < 0 { "−" } else { "" };
        format!("{sign}{}", self.words.number(ballots.unsigned_abs())).into()
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
        let since = Some(1_795_459_200_000);
        for (unexplained, differs_since_ms, words) in [
            (Some(0), None, "The account balances"),
            (Some(1_234), since, "Ballots missing since 2026-11-23 18:40 UTC: 1,234."),
            (Some(-2), since, "Ballots too many since 2026-11-23 18:40 UTC: 2."),
            (None, None, "not known how many ballots were accepted"),
        ] {
            let account = Account { unexplained, differs_since_ms, ..Account::default() };
            let html = page(account);
            assert!(html.contains(words), "{words}: {html}");
            assert_eq!(html.contains(" since "), since == differs_since_ms, "{html}");
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
