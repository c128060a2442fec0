//! Which language a page and a problem are in.

use serde_json::json;
use testkit::http::Reply;

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
