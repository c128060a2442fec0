//! The plain form, which works without JavaScript.

use votestream_schema::Poll;
use votestream_schema::poll::{VotePolicy, now_ms};

use crate::harness::{Setup, option, poll};

#[tokio::test]
async fn a_form_leads_back_to_a_page_that_shows_the_choice_that_stands() {
    let service = Setup::new().start().await;
    for path in ["/", "/polls/pets"] {
        let before = service.client.get(path).send().await;
        let cookie = before.cookie().unwrap();
        assert!(before.text().contains(&format!("action=\"{path}\"")), "the form posts back here");
        let reply = service.client.post(path).form("vote=dogs").cookie(cookie).send().await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(path)));
        assert_eq!(reply.cookie(), None, "the voter is known already");
        let page = service.client.get(path).cookie(cookie).send().await.text();
        let standing = page.split("id=\"standing-choices\"").nth(1).unwrap();
        assert!(standing.split("</ul>").next().unwrap().contains("Dogs"), "{page}");
        assert!(!page.contains("<form"), "a first vote that stands leaves nothing to choose");
    }
    assert_eq!(service.entries().await.len(), 2);
}

#[tokio::test]
async fn letters_name_options_by_position_unless_a_slug_does() {
    let mut letters = poll("pets");
    letters.options.push(option("a", "Alpacas"));
    letters.vote_policy = VotePolicy::Replace;
    let service = Setup::new().polls([letters]).start().await;
    for (letter, mask) in [("b", 0b010), ("c", 0b100), ("a", 0b100), ("cats", 0b001)] {
        let reply = service.client.post("/").form(format!("vote={letter}")).send().await;
        assert_eq!(reply.status, 303);
        let newest = service.entries().await.pop().unwrap();
        assert_eq!(newest.ballot.choices.mask(), mask, "{letter}");
    }
    assert_eq!(service.client.post("/").form("vote=d").send().await.status, 422);
}

#[tokio::test]
async fn several_choices_are_the_field_repeated() {
    let mut several = poll("pets");
    several.options.push(option("birds", "Birds"));
    several.choices_max = 2;
    let service = Setup::new().polls([several]).start().await;
    let reply = service.client.post("/").form("vote=a&vote=birds&other=x").send().await;
    assert_eq!(reply.status, 303);
    assert_eq!(service.entries().await[0].ballot.choices.mask(), 0b101);
    let page = service.client.get("/").cookie(reply.cookie()).send().await.text();
    let standing = page.split("id=\"standing-choices\"").nth(1).unwrap();
    let standing = standing.split("</ul>").next().unwrap();
    assert!(standing.contains("Cats") && standing.contains("Birds") && !standing.contains("Dogs"));
}

#[tokio::test]
async fn a_second_vote_is_refused_with_a_page_that_shows_the_first() {
    let service = Setup::new().start().await;
    let first = service.client.post("/").form("vote=a").send().await;
    let again = service.client.post("/").form("vote=b").cookie(first.cookie()).send().await;
    assert_eq!(again.status, 409);
    let page = again.text();
    assert!(page.contains("You have already voted") && page.contains("Your vote for Cats stands."));
    assert!(page.contains("You voted for") && !page.contains("<form"));
}

#[tokio::test]
async fn a_vote_that_may_change_keeps_its_form() {
    let replace = Poll { vote_policy: VotePolicy::Replace, ..poll("pets") };
    let service = Setup::new().polls([replace]).start().await;
    let first = service.client.post("/").form("vote=a").send().await;
    let cookie = first.cookie();
    assert_eq!(service.client.post("/").form("vote=b").cookie(cookie).send().await.status, 303);
    let page = service.client.get("/").cookie(cookie).send().await.text();
    assert!(page.contains("<form") && page.contains("Change my vote"));
    let dogs = page.split("id=\"option-dogs\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(dogs.contains("checked"), "{dogs}");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_on_the_ballot_itself() {
    let closed = Poll { closes_at_ms: Some(now_ms() - 1_000), ..poll("closed") };
    let service = Setup::new().polls([poll("pets"), closed]).start().await;
    for (path, form, status, words) in [
        ("/", "", 422, "Choose exactly 1, not 0."),
        ("/", "vote=birds", 422, "is not an option"),
        ("/", "vote=a&vote=b", 422, "Choose exactly 1, not 2."),
        ("/", "%%%=%%%&vote", 422, "is not an option"),
        ("/polls/closed", "vote=a", 403, "Voting is not open"),
        ("/polls/birds", "vote=a", 404, "Unknown poll"),
    ] {
        let reply = service.client.post(path).form(form).send().await;
        assert_eq!(reply.status, status, "{form}");
        assert!(reply.text().contains(words), "{form}: {}", reply.text());
    }
    assert!(service.entries().await.is_empty());
}
