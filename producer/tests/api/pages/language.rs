//! Which language a page and a problem are in.

use serde_json::json;
use testkit::http::Reply;
use votestream_schema::Poll;

use crate::harness::{Setup, poll};

fn lang(page: &Reply) -> String {
    let text = page.text();
    let start = text.split_once("<html lang=\"").map(|(_, rest)| rest).unwrap_or_default();
    let lang = start.split('"').next().unwrap_or_default().to_owned();
    assert_eq!(page.header("content-language"), Some(lang.as_str()));
    assert_eq!(page.header("vary"), Some("accept-language"));
    lang
}

#[tokio::test]
async fn a_page_is_in_the_language_of_its_address_or_else_of_its_reader() {
    let service = Setup::new().polls([poll("pets")]).start().await;
    let german = |path: &str| service.client.get(path).header("accept-language", "de-AT, en;q=0.5");
    assert_eq!(lang(&service.client.get("/").send().await), "en");
    let page = german("/polls/pets").send().await;
    assert_eq!(lang(&page), "de");
    assert!(page.text().contains("Die Abstimmung läuft"), "{}", page.text());
    assert!(page.text().contains("action=\"/polls/pets\""), "{}", page.text());
    let page = german("/polls/pets?lang=uk").send().await;
    assert_eq!(lang(&page), "uk");
    let asked = page.text();
    assert!(asked.contains("action=\"/polls/pets?lang=uk\""), "the form keeps it: {asked}");
    // A form that is sent leads back to a page in the same language, and so does one that is refused.
    let voted = service.client.post("/polls/pets?lang=uk").form("vote=cats").send().await;
    assert_eq!((voted.status, voted.header("location")), (303, Some("/polls/pets?lang=uk")));
    let again = service.client.post("/polls/pets?lang=uk").form("vote=dogs");
    let again = again.cookie(voted.cookie()).send().await;
    assert_eq!((again.status, lang(&again).as_str()), (409, "uk"));
    assert!(again.text().contains("Ваш голос за Cats чинний."), "{}", again.text());
    let none = german("/polls/birds?lang=fr").send().await;
    assert_eq!((none.status, lang(&none).as_str()), (404, "fr"));
    assert!(none.text().contains("Il n’y a pas de vote « birds »."), "{}", none.text());
}

#[tokio::test]
async fn a_problem_is_in_the_language_that_the_client_accepts() {
    let service = Setup::new().start().await;
    for (accepts, title, detail) in [
        ("es", "Elección no válida", "elija exactamente 1, no 0"),
        ("ja, de;q=0.2", "Keine gültige Auswahl", "wählen Sie genau 1, nicht 0"),
        ("ja", "Not a valid choice", "choose exactly 1, not 0"),
    ] {
        let request = service.client.post("/api/polls/pets/ballots");
        let request = request.header("accept-language", accepts).json(&json!({ "choices": [] }));
        let reply = request.send().await;
        let problem = reply.json();
        assert_eq!((reply.status, reply.problem().as_str()), (422, "invalid-choice"));
        assert_eq!(problem["detail"], detail, "{accepts}");
        assert_eq!(problem["title"], title);
    }
    let reply = service.client.get("/nothing").header("accept-language", "ar").send().await;
    assert_eq!(reply.json()["title"], "غير موجود", "also where no route is");
    assert_eq!(reply.header("content-language"), Some("ar"));
}

/// A poll in English, with texts in German and Arabic.
fn translated(slug: &str) -> Poll {
    let mut translated = poll(slug);
    let tag = |tag: &str| tag.parse().unwrap();
    translated.titles.set(tag("de"), Some("Katzen oder Hunde".to_owned()));
    translated.options[0].labels.set(tag("de"), Some("Katzen".to_owned()));
    translated.options[0].labels.set(tag("ar"), Some("قطط".to_owned()));
    translated.options[1].description = Some("They bark.".to_owned());
    translated
}

#[tokio::test]
async fn a_page_has_the_texts_of_its_language_else_the_polls_own_with_their_language() {
    let english = Poll { lang: Some("en".parse().unwrap()), ..translated("english") };
    let arabic = Poll { lang: Some("ar".parse().unwrap()), ..poll("arabic") };
    let japanese = Poll { lang: Some("ja".parse().unwrap()), ..poll("japanese") };
    let all = [english, translated("unknown"), arabic, japanese];
    let service = Setup::new().polls(all).start().await;
    let german = |path: &str| service.client.get(path).header("accept-language", "de");

    // The language of the poll comes before that of the reader, and the address before both.
    let page = german("/polls/english").send().await;
    assert_eq!(lang(&page), "en");
    assert!(page.text().contains(">Cats<") && !page.text().contains("Katzen"), "{}", page.text());
    let page = german("/polls/english?lang=de").send().await;
    assert_eq!(lang(&page), "de");
    let text = page.text();
    assert!(text.contains("dir=\"auto\">Katzen oder Hunde</h1>"), "{text}");
    assert!(text.contains("dir=\"auto\">Katzen<"), "{text}");
    assert!(text.contains("dir=\"auto\" lang=\"en\">Dogs<"), "{text}");
    assert!(text.contains("dir=\"auto\" lang=\"en\">They bark.<"), "{text}");
    // Nobody knows the language of texts in a poll that does not say it.
    let page = german("/polls/unknown").send().await;
    assert_eq!(lang(&page), "de");
    assert!(page.text().contains("dir=\"auto\">Dogs<"), "{}", page.text());
    let page = service.client.get("/polls/unknown?lang=ar").send().await;
    assert!(page.text().contains("dir=\"auto\">قطط<"), "{}", page.text());
    // Pages do not speak every language of a poll.
    assert_eq!(lang(&german("/polls/arabic").send().await), "ar");
    let page = german("/polls/japanese").send().await;
    assert_eq!(lang(&page), "de");
    assert!(page.text().contains("lang=\"ja\">Cats<"), "{}", page.text());
}

#[tokio::test]
async fn programs_get_all_languages_and_a_poll_in_one_is_described_as_before() {
    let english = Poll { lang: Some("en".parse().unwrap()), ..translated("english") };
    let service = Setup::new().polls([english, poll("pets")]).start().await;
    for path in ["/api/polls/english", "/api/polls/english/state"] {
        let described = service.client.get(path).send().await.json();
        assert_eq!(described["lang"], "en", "{path}");
        assert_eq!(described["titles"], json!({ "de": "Katzen oder Hunde" }), "{path}");
        let labels = json!({ "ar": "قطط", "de": "Katzen" });
        assert_eq!(described["options"][0]["labels"], labels, "{path}");
        assert!(described["options"][1].get("labels").is_none(), "{path}");
    }
    for path in ["/api/polls/pets", "/api/polls/pets/state"] {
        let described = service.client.get(path).send().await.text();
        for word in ["lang", "titles", "labels"] {
            assert!(!described.contains(word), "{described}");
        }
    }
}
