//! Results that a poll's visibility hides appear in no reply.

use votestream_schema::poll::{Definition, Visibility, now_ms};

use crate::harness::{Database, Service, Setup, in_ms, poll};
use crate::stream::{Stream, WAYS, Way};

/// Figures that cannot occur by chance, in every form in which they could leak.
const FIGURES: [&str; 5] = ["48611", "48,611", "27644", "27,644", "63.7"];
/// The number of people counted, which only some polls tell while their results are hidden.
const TURNOUT: [&str; 2] = ["76255", "76,255"];

/// A poll with the figures above, and its dashboard.
async fn start(visibility: Visibility) -> (Database, votestream_schema::PollId, Service) {
    start_with(visibility, [48_611, 27_644]).await
}

/// A poll with these votes, and its dashboard. All dashboards of this program write the same metrics, so a poll whose results are shown
/// has figures of its own.
async fn start_with(
    visibility: Visibility,
    votes: [i64; 2],
) -> (Database, votestream_schema::PollId, Service) {
    let mut database = Database::new().await;
    let definition = Definition { visibility, closes_at: Some(in_ms(600_000)), ..poll("pets") };
    let pets = database.create(&definition).await;
    database.count(pets, votes.iter().sum(), &votes).await;
    database.add_second(pets, now_ms() / 1_000 - 2, votes[0]).await;
    let service = Setup::on(&database.url).start().await;
    (database, pets, service)
}

fn expect_no_figure(text: &str) {
    for figure in FIGURES {
        assert!(!text.contains(figure), "{figure} leaked: {text}");
    }
}

#[tokio::test]
async fn hidden_results_leak_from_no_reply() {
    for visibility in [Visibility::AfterClose, Visibility::AfterVote, Visibility::Admin] {
        let (_database, _, service) = start(visibility).await;
        for path in ["tally", "series"] {
            let reply = service.client.get(&format!("/api/polls/pets/{path}")).send().await;
            assert_eq!((reply.status, reply.problem().as_str()), (403, "results-hidden"), "{path}");
            assert_eq!(reply.json()["visibility"], visibility.as_str());
            expect_no_figure(&reply.text());
        }
        for path in ["/", "/polls/pets", "/api/polls", "/embed/pets"] {
            let reply = service.client.get(path).send().await;
            assert_eq!(reply.status, 200);
            expect_no_figure(&reply.text());
            // Who has not voted learns on the page how many have.
            let has_turnout = visibility == Visibility::AfterVote && path != "/api/polls";
            let is_told = TURNOUT.iter().any(|figure| reply.text().contains(figure));
            assert_eq!(is_told, has_turnout, "{path}");
        }
        let told = visibility != Visibility::Admin;
        let screen = service.client.get("/present/pets").send().await.text();
        expect_no_figure(&screen);
        assert_eq!(screen.contains(">76,255<"), told, "{screen}");
        for way in WAYS {
            let mut stream = Stream::open(&service.client, "pets", way).await;
            let (name, id, data) = stream.event().await;
            assert_eq!((name.as_str(), id), ("hidden", None));
            assert_eq!(data["visibility"], visibility.as_str());
            expect_no_figure(&data.to_string());
            assert_eq!(data["voters"] == 76_255, told, "{data}");
        }
        let metrics = service.metrics.render();
        expect_no_figure(&metrics);
        assert!(!TURNOUT.iter().any(|figure| metrics.contains(figure)), "{metrics}");
    }
}

#[tokio::test]
async fn results_appear_everywhere_once_the_poll_has_closed() {
    for visibility in [Visibility::AfterClose, Visibility::AfterVote] {
        appear_once_closed(visibility).await;
    }
}

async fn appear_once_closed(visibility: Visibility) {
    let (database, pets, service) = start_with(visibility, [48_612, 27_645]).await;
    let mut streams = Vec::new();
    for way in WAYS {
        let mut stream = Stream::open(&service.client, "pets", way).await;
        assert_eq!(stream.event().await.0, "hidden");
        streams.push(stream);
    }
    let closes_at = in_ms(500);
    database.close(pets, closes_at).await;
    // It is closed, and its last ballots are being counted: nothing appears yet.
    for stream in &mut streams {
        let hidden = stream.event_where(|_, data| data["state"] == "closed").await;
        assert_eq!(hidden["final"], false);
    }
    assert_eq!(service.client.get("/api/polls/pets/tally").send().await.status, 403);
    let page = service.client.get("/").send().await.text();
    assert!(page.contains("as soon as the last votes are counted") && !page.contains("Final"));
    database.complete_to(closes_at, 0, pets).await;
    for stream in &mut streams {
        let tally = stream.event_where(|name, _| name == "tally").await;
        assert_eq!((&tally["state"], &tally["voters"]), (&"closed".into(), &76_257.into()));
    }
    let tally = service.client.get("/api/polls/pets/tally").send().await;
    assert_eq!(tally.json()["options"][0]["votes"], 48_612);
    let series = service.client.get("/api/polls/pets/series").send().await;
    assert_eq!(series.json()["points"][0][1], 48_612);
    let page = service.client.get("/").send().await.text();
    assert!(page.contains("48,612") && page.contains("Final: voting has closed"));
}

#[tokio::test]
async fn changes_of_hidden_results_are_not_told_by_the_rhythm_of_events() {
    let (database, pets, service) = start(Visibility::Admin).await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    stream.event().await;
    for n in 1..=5 {
        database.count(pets, n, &[n, 0]).await;
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    // The change of state is visible, and events arrive in order, so an earlier leak would have arrived before it.
    database.close(pets, in_ms(-1)).await;
    let (name, _, data) = stream.event().await;
    assert_eq!((name.as_str(), &data["state"]), ("hidden", &"closed".into()));
}

#[tokio::test]
async fn the_turnout_of_hidden_results_is_told_at_most_once_a_second() {
    let (database, pets, service) = start(Visibility::AfterClose).await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    assert_eq!(stream.event().await.2["voters"], 76_255);
    let begun = std::time::Instant::now();
    for n in 1..=25 {
        database.count(pets, 80_000 + n, &[80_000, n]).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut events = 0;
    loop {
        let (name, _, data) = stream.event().await;
        assert_eq!(name, "hidden");
        events += 1;
        if data["voters"] == 80_025 {
            break;
        }
    }
    let most = begun.elapsed().as_secs() + 2;
    assert!((2..=most).contains(&events), "{events} events in {:?}", begun.elapsed());
}
