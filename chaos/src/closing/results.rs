//! Reads results from the places that show them: frames, replies, the page and the export.

use serde_json::Value;

use super::ledger::Shown;
use crate::testbed::OPTIONS;

/// Reads a frame's data or the reply with the tally. `None` if it holds no result.
pub(super) fn of_tally(json: &str) -> Option<Shown> {
    let body: Value = serde_json::from_str(json).ok()?;
    let options = body.get("options")?.as_array()?;
    Some(Shown {
        is_final: body.get("final")?.as_bool()?,
        voters: body.get("voters")?.as_u64()?,
        votes: votes(options),
    })
}

/// Reads the reply with the people counted per second, which has no votes of options.
pub(super) fn of_series(json: &str) -> Option<Shown> {
    let body: Value = serde_json::from_str(json).ok()?;
    Some(Shown {
        is_final: body.get("final")?.as_bool()?,
        voters: body.get("voters")?.as_u64()?,
        votes: Vec::new(),
    })
}

/// Reads the export in JSON.
pub(super) fn of_export(json: &str) -> Option<Shown> {
    let body: Value = serde_json::from_str(json).ok()?;
    of_tally(&body.get("results")?.to_string())
}

/// Reads the page: the article is marked as final, and each row has the votes of one option.
pub(super) fn of_page(html: &str) -> Option<Shown> {
    let article = html.split("<article id=\"results\"").nth(1)?;
    let (head, _) = article.split_once('>')?;
    let is_final = head.contains(" data-final") || article.contains("Final: voting has closed");
    let vote = |option: &str| {
        let row = article.split(&format!("data-option=\"{option}\" data-votes=\"")).nth(1)?;
        row.split('"').next()?.parse::<u64>().ok()
    };
    let votes: Vec<u64> = OPTIONS.iter().map(|option| vote(option)).collect::<Option<_>>()?;
    let voters = article.split("<dd id=\"voters\" class=\"display\">").nth(1)?;
    let voters: String = voters.split('<').next()?.chars().filter(char::is_ascii_digit).collect();
    Some(Shown { is_final, voters: voters.parse().ok()?, votes })
}

/// Returns the votes in the order of [`OPTIONS`].
fn votes(options: &[Value]) -> Vec<u64> {
    let of = |slug: &str| {
        let option = options.iter().find(|option| option["slug"] == slug);
        option.and_then(|option| option["votes"].as_u64()).unwrap_or_default()
    };
    OPTIONS.iter().map(|slug| of(slug)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_result_is_read_from_every_place() {
        let options =
            r#"[{"slug":"dogs","votes":2},{"slug":"cats","votes":1},{"slug":"fish","votes":0}]"#;
        let wanted = Shown { is_final: true, voters: 3, votes: vec![1, 2, 0] };
        let tally = format!(r#"{{"final":true,"voters":3,"options":{options}}}"#);
        assert_eq!(of_tally(&tally).as_ref(), Some(&wanted));
        assert_eq!(of_export(&format!(r#"{{"results":{tally}}}"#)).as_ref(), Some(&wanted));
        let page = "<article id=\"results\" data-version=\"9\" data-final>\
            <li data-option=\"cats\" data-votes=\"1\"><li data-option=\"dogs\" data-votes=\"2\">\
            <li data-option=\"fish\" data-votes=\"0\"><dd id=\"voters\" class=\"display\">3</dd>";
        assert_eq!(of_page(page).as_ref(), Some(&wanted));
        assert!(!of_page(&page.replace(" data-final", "")).unwrap().is_final);
        let series = of_series(r#"{"final":true,"voters":3,"points":[]}"#).unwrap();
        assert_eq!((series.is_final, series.voters), (true, 3));
    }

    #[test]
    fn a_page_of_an_error_is_no_result() {
        assert_eq!(of_page("<h1>Not found</h1>"), None);
        assert_eq!(of_tally("{}"), None);
    }
}
