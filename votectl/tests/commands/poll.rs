use serde_json::{Value, json};
use votestream_schema::PollState;
use votestream_schema::poll::{Visibility, VotePolicy, VoterPolicy, now_ms};
use votestream_schema::poll_copy::cmd;
use votestream_schema::projection::presence::Presence;
use votestream_schema::projection::{self, Rules};

use super::deployment::{Deployment, ballot};

#[tokio::test]
async fn a_created_poll_is_in_postgres_and_in_every_partition() {
    let mut deployment = Deployment::new().await;
    let before_ms = now_ms();
    deployment.create(&["--open", "--vote-policy", "replace", "--choices-max", "2"]);
    let poll = deployment.poll().await;
    assert_eq!(poll.state(now_ms()), PollState::Open);
    assert!((before_ms..=now_ms()).contains(&poll.opens_at_ms.unwrap()));
    assert_eq!((poll.vote_policy, poll.choices_max), (VotePolicy::Replace, 2));
    let options: Vec<_> =
        poll.options.iter().map(|o| (o.slug.as_str(), o.label.as_str())).collect();
    assert_eq!(options, [("cats", "Cats"), ("dogs", "Dogs")]);
    let rules = Some(Rules::of(&poll).encode());
    assert_eq!(deployment.rules(&poll).await, [rules.clone(), rules.clone(), rules]);
    let key = deployment.keys.polls();
    let page: String = deployment.redis(redis::cmd("HGET").arg(key).arg("pets")).await;
    assert_eq!(projection::read_definition(&page).unwrap(), poll);
}

#[tokio::test]
async fn a_poll_may_shuffle_its_options_and_allow_abstentions() {
    let deployment = Deployment::new().await;
    deployment.create(&["--shuffle", "--choices-min", "0", "--open"]);
    let poll = deployment.poll().await;
    assert!(poll.shuffle && poll.choices_min == 0);
    let said = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(said.contains("0 to 1") && said.contains("shuffled for each voter"), "{said}");
    let refused = ["--slug", "none", "--title", "None?", "--option", "a=A", "--option", "b=B"];
    let none = ["poll", "create", "--choices-min", "0", "--choices-max", "0"];
    let none: Vec<&str> = none.into_iter().chain(refused).collect();
    deployment.run(&none).refused(1, &["choices_max"]);
}

#[tokio::test]
async fn a_draft_is_on_no_page_until_it_opens() {
    let mut deployment = Deployment::new().await;
    deployment.create(&[]);
    let poll = deployment.poll().await;
    assert_eq!(poll.state(now_ms()), PollState::Draft);
    let has_page = redis::cmd("HEXISTS").arg(deployment.keys.polls()).arg("pets").clone();
    assert!(!deployment.redis::<bool>(&has_page).await);
    let is_noted = redis::cmd("SISMEMBER").arg(deployment.keys.drafts()).arg("pets").clone();
    assert!(deployment.redis::<bool>(&is_noted).await, "its page waits");

    let said = deployment.run(&["poll", "open", "pets", "--at", "+1h", "--closes-at", "+2h"]).ok();
    assert!(said.contains("scheduled, opens at"), "{said}");
    assert!(deployment.redis::<bool>(&has_page).await);
    assert!(!deployment.redis::<bool>(&is_noted).await);
    let scheduled = deployment.poll().await;
    assert_eq!(scheduled.revision, poll.revision + 1);
    let (opens, closes) = (scheduled.opens_at_ms.unwrap(), scheduled.closes_at_ms.unwrap());
    assert!((3_590_000..=3_600_000).contains(&(opens - now_ms())), "{opens}");
    assert!((3_599_000..=3_601_000).contains(&(closes - opens)), "{opens} {closes}");

    deployment.run(&["poll", "open", "pets"]).ok();
    let open = deployment.poll().await;
    assert_eq!((open.state(now_ms()), open.closes_at_ms), (PollState::Open, Some(closes)));
    let rules = Some(Rules::of(&open).encode());
    assert_eq!(deployment.rules(&open).await, [rules.clone(), rules.clone(), rules]);
    deployment.run(&["poll", "open", "pets"]).refused(1, &["open already"]);
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused() {
    let deployment = Deployment::new().await;
    deployment.create(&[]);
    let open =
        |more: &[&str]| deployment.run(&[["poll", "open", "pets"].as_slice(), more].concat());
    open(&["--at", "2001-01-01T00:00:00Z"]).refused(1, &["in the past"]);
    open(&["--at", "+2h", "--closes-at", "+1h"]).refused(1, &["before it opens"]);
    assert_eq!(open(&["--at", "tomorrow"]).code, 2);
    let create =
        ["poll", "create", "--slug", "x", "--title", "X", "--option", "a", "--option", "b"];
    let create = |more: &[&str]| deployment.run(&[create.as_slice(), more].concat());
    create(&["--closes-at", "+1h"]).refused(1, &["opens_at"]);
    create(&["--open", "--closes-at", "2001-01-01T00:00:00Z"]).refused(1, &["closes_at"]);
    assert_eq!(create(&["--open", "--opens-at", "+1h"]).code, 2);
    assert!(!deployment.run(&["poll", "list"]).ok().contains("x  "));
}

#[tokio::test]
async fn a_taken_slug_is_refused_kept_or_rewritten_as_asked() {
    let deployment = Deployment::new().await;
    deployment.create(&[]);
    let create = |more: &[&str]| {
        let poll = ["poll", "create", "--slug", "pets", "--title", "Other", "--option", "x=X"];
        deployment.run(&[&poll, ["--option", "y=Y", "--option", "z=Z"].as_slice(), more].concat())
    };
    create(&[]).refused(1, &["exists already", "--if-missing", "--update"]);
    let kept = create(&["--if-missing", "--json"]).json();
    assert_eq!((&kept["outcome"], &kept["poll"]["title"]), (&json!("kept"), &json!("Pets?")));
    let updated = create(&["--update", "--json"]).json();
    assert_eq!(updated["outcome"], "updated");
    let poll = deployment.poll().await;
    assert_eq!((poll.title.as_str(), poll.options.len(), poll.revision), ("Other", 3, 2));
    deployment.run(&["poll", "open", "pets"]).ok();
    create(&["--update"]).refused(1, &["is open", "no longer be rewritten"]);
    assert_eq!(create(&["--update", "--if-missing"]).code, 2);
}

#[tokio::test]
async fn options_are_frozen_by_the_first_vote() {
    let mut deployment = Deployment::new().await;
    deployment.create(&[]);
    let poll = deployment.poll().await;
    let ballot = ballot(&poll, 0);
    deployment.count(&ballot, "1700000000000-0").await;
    let update =
        ["poll", "create", "--slug", "pets", "--title", "P", "--option", "a", "--option", "b"];
    let said = deployment.run(&[update.as_slice(), &["--update"]].concat());
    said.refused(1, &["options of poll", "it has votes"]);
    assert_eq!(deployment.poll().await, poll);
}

#[tokio::test]
async fn title_and_labels_are_corrected_while_votes_come_in_and_the_old_ones_are_kept() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    deployment.count(&ballot(&poll, 0), "1700000000000-0").await;
    let texts = ["--title", "Which pet?", "--label", "cats=Cats, all of them"];
    let set = ["poll", "set", "pets"];
    deployment.run(&[&set[..], &texts[..], &["--visibility", "admin"][..]].concat()).ok();

    let now = deployment.poll().await;
    assert_eq!(
        (now.title.as_str(), now.options[0].label.as_str()),
        ("Which pet?", "Cats, all of them")
    );
    assert_eq!((now.visibility, now.revision), (Visibility::Admin, poll.revision + 1));
    assert_eq!((&now.options[1..], now.vote_policy), (&poll.options[1..], poll.vote_policy));
    let mut page = redis::cmd("HGET");
    page.arg(deployment.keys.polls()).arg("pets");
    let copy: String = deployment.redis(&page).await;
    assert_eq!(projection::read_definition(&copy).unwrap(), now, "producers read this copy");
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    let changes: Vec<_> = shown["changes"].as_array().unwrap().iter().collect();
    let fields: Vec<_> = changes.iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["label of cats", "title", "visibility"]);
    assert_eq!(
        (&changes[0]["before"], &changes[0]["after"], &changes[0]["revision"]),
        (&json!(poll.options[0].label), &json!("Cats, all of them"), &json!(now.revision))
    );
    let words = format!("title from “{}” to “Which pet?”", poll.title);
    let text = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(text.contains(&words), "{text}");

    // The same again changes nothing.
    deployment.run(&[&set[..], &texts[..]].concat()).ok();
    assert_eq!(deployment.poll().await.revision, now.revision);
}

#[tokio::test]
async fn what_may_not_change_in_a_poll_is_refused_with_the_next_step() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let set = |more: &[&str]| deployment.run(&[&["poll", "set", "pets"][..], more].concat());
    set(&["--label", "mice=Mice"]).refused(1, &["no option `mice`", "votectl poll show pets"]);
    set(&["--title", " "]).refused(1, &["the title must have"]);
    set(&["--label", "cats=a\u{202e}b"]).refused(1, &["the label of `cats`", "U+202E"]);
    for (argument, words) in [
        (["--vote-policy", "replace"], "never changes"),
        (["--option", "mice=Mice"], "poll create --update"),
        (["--choices-max", "2"], "never changes"),
        (["--slug", "dogs"], "never changes"),
        (["--closes-at", "+1h"], "`extend`"),
        (["--label", "cats"], "SLUG=LABEL"),
    ] {
        let said = set(&argument);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
    }
    assert_eq!(set(&[]).code, 2, "nothing to change");
    assert_eq!(deployment.poll().await, poll);
    deployment.run(&["poll", "close", "pets"]).ok();
    set(&["--title", "It was about pets"]).ok();
    deployment.run(&["poll", "archive", "pets"]).ok();
    set(&["--title", "Too late"]).refused(1, &["poll `pets` is archived"]);
}

#[tokio::test]
async fn a_file_defines_a_poll_and_its_errors_name_the_line() {
    let deployment = Deployment::new().await;
    let path = testkit::folder("poll").join("poll.toml");
    let file = path.to_str().unwrap();
    let good = r##"
slug = "pets"
title = "Pets?"
choices_max = 2
voter_policy = "code"
visibility = "after_close"
opens_at = "2100-01-01T00:00:00Z"
[[options]]
slug = "cats"
label = "Cats"
description = "They purr"
colour = "#e4572e"
[[options]]
slug = "dogs"
label = "Dogs"
"##;
    let create = |text: &str, more: &[&str]| {
        std::fs::write(&path, text).unwrap();
        deployment.run(&[["poll", "create", "--file", file].as_slice(), more].concat())
    };
    let bad = |from: &str, to: &str| create(&good.replace(from, to), &[]);
    bad("choices_max", "choices_most").refused(1, &["poll.toml line 4", "choices_most"]);
    bad("label = \"Dogs\"", "label = 7").refused(1, &["line 15", "string"]);
    bad("after_close", "sometimes").refused(1, &["line 6", "sometimes"]);
    bad("\"2100-01-01T00:00:00Z\"", "2100-01-01T00:00:00Z").refused(1, &["line 7", "in quotes"]);
    bad("slug = \"pets\"\n", "").refused(1, &["slug"]);
    bad("title = \"Pets?\"", "title = \"Pets?").refused(1, &["line 3"]);
    bad("choices_max = 2", "choices_max = 3").refused(1, &["poll.toml", "choices_min"]);
    let missing = ["poll", "create", "--file", "/nowhere/poll.toml"];
    deployment.run(&missing).refused(1, &["/nowhere/poll.toml"]);
    assert_eq!(create(good, &["--title", "Other"]).code, 2);

    create(good, &["--closes-at", "2100-01-02T00:00:00Z"]).ok();
    let poll = deployment.poll().await;
    assert_eq!((poll.voter_policy, poll.visibility), (VoterPolicy::Code, Visibility::AfterClose));
    assert_eq!(poll.options[0].description.as_deref(), Some("They purr"));
    assert_eq!(poll.closes_at_ms.unwrap() - poll.opens_at_ms.unwrap(), 86_400_000);
}

#[tokio::test]
async fn results_are_shown_whatever_the_visibility() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--visibility", "admin"]);
    let poll = deployment.poll().await;
    deployment.vote(&poll, 0, 3).await;
    deployment.vote(&poll, 1, 1).await;
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    assert_eq!((&shown["state"], &shown["visibility"]), (&json!("open"), &json!("admin")));
    assert_eq!((&shown["results"]["voters"], &shown["results"]["version"]), (&json!(4), &json!(4)));
    let cats = json!({"slug": "cats", "label": "Cats", "votes": 3, "share_percent": 75.0});
    assert_eq!(shown["results"]["options"][0], cats);
    let text = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(text.contains("75.0 %") && text.contains("4 voters counted (version 4)"), "{text}");
    assert!(text.contains("NOT FINAL: the poll is open"), "{text}");
    deployment.run(&["poll", "show", "dogs"]).refused(1, &["no poll `dogs`", "poll list"]);
    assert_eq!(deployment.run(&["poll", "show", "Not A Slug"]).code, 2);
}

#[tokio::test]
async fn an_archived_poll_is_forgotten_by_redis_and_kept_by_postgres() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    deployment
        .run(&["poll", "archive", "pets"])
        .refused(1, &["poll `pets` is open", "votectl poll close"]);
    let mut registers = Vec::new();
    for bucket in [0, 1_023, 1_024, 16_383] {
        let register = deployment.keys.register_bucket(2, poll.id, bucket);
        let set = redis::cmd("HSET").arg(&register).arg("voter").arg("1 00000000 1-0").clone();
        deployment.redis::<i64>(&set).await;
        registers.push(register);
    }
    let other = deployment.keys.register_bucket(2, votestream_schema::PollId(poll.id.0 + 1), 0);
    deployment.redis::<i64>(redis::cmd("HSET").arg(&other).arg("voter").arg("x")).await;
    deployment.vote(&poll, 0, 1).await;
    deployment.run(&["poll", "close", "pets"]).ok();
    for _ in 0..2 {
        let said = deployment.run(&["poll", "archive", "pets"]);
        assert!(said.err.contains("partition 3 of 3"), "{said:?}");
        said.ok();
    }
    assert_eq!(deployment.poll().await.state(now_ms()), PollState::Archived);
    let left: i64 = deployment.redis(redis::cmd("EXISTS").arg(&registers)).await;
    assert_eq!(left, 0);
    assert!(deployment.redis::<bool>(redis::cmd("EXISTS").arg(&other)).await);
    assert!(!deployment.run(&["poll", "list"]).ok().contains("pets"));
    assert!(deployment.run(&["poll", "list", "--all"]).ok().contains("archived"));
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    assert_eq!(shown["results"]["voters"], 1);
    for command in [["open", "pets"], ["close", "pets"]] {
        deployment.run(&[["poll"].as_slice(), &command].concat()).refused(1, &["archived"]);
    }
}

/// As a newer release would leave it: a poll with a policy that this release does not know.
#[tokio::test]
async fn a_poll_that_cannot_be_read_hides_no_other_and_fails_the_audit() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let create =
        ["poll", "create", "--slug", "newer", "--title", "N", "--option", "a", "--option", "b"];
    deployment.run(&create).ok();
    let change = "ALTER TABLE polls DROP CONSTRAINT polls_vote_policy_check; \
                  UPDATE polls SET vote_policy = 'ranked' WHERE slug = 'newer'";
    deployment.postgres.batch_execute(change).await.unwrap();

    let listed = deployment.run(&["poll", "list"]);
    assert!(listed.err.contains("`newer`") && listed.err.contains("`ranked`"), "{listed:?}");
    let listed = listed.ok();
    assert!(listed.contains("pets") && !listed.contains("newer"), "{listed}");
    deployment.run(&["poll", "show", "newer"]).refused(1, &["`newer`", "cannot be read"]);
    let audited = deployment.run(&["audit"]);
    assert!(audited.out.contains("poll pets"), "{audited:?}");
    assert!(audited.out.contains("NOT AUDITED: poll"), "{audited:?}");
    audited.refused(1, &["the audit found a difference"]);
    deployment.run(&["audit", "pets"]).ok();
}

#[tokio::test]
async fn every_command_explains_itself_with_examples() {
    let deployment = Deployment::empty().await;
    let commands = [
        "migrate",
        "poll create",
        "poll open",
        "poll close",
        "poll archive",
        "poll seal",
        "poll list",
        "poll set",
        "poll extend",
        "poll cancel",
        "poll networks",
        "poll show",
        "poll export",
        "poll voter-keys",
        "codes issue",
        "codes import",
        "codes count",
        "dead-letters list",
        "dead-letters show",
        "dead-letters replay",
        "dead-letters drop",
        "audit",
        "forget",
    ];
    for command in commands {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = deployment.run(&words).ok();
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert!(help.contains(&format!("votectl {command}")), "{command}: {help}");
        assert!(help.contains("--json") && help.contains("REDIS_URL"), "{command}: {help}");
    }
    assert_eq!(deployment.run(&["poll", "elect"]).code, 2);
}

/// Writes the presence of a producer that read the polls at this time.
async fn presence(deployment: &mut Deployment, name: &str, read_at_ms: i64) {
    let presence = Presence { read_at_ms, unreadable: Vec::new() };
    let write = cmd(&presence.write(&deployment.keys, name));
    let _: i64 = deployment.redis(&write).await;
}

#[tokio::test]
async fn opening_a_poll_waits_for_every_living_producer_and_names_the_late_one() {
    let mut deployment = Deployment::new().await;
    let now = now_ms();
    presence(&mut deployment, "prompt", now + 60_000).await;
    presence(&mut deployment, "gone", now - 60_000).await;
    let create =
        ["poll", "create", "--slug", "one", "--title", "One", "--option", "A", "--option", "B"];
    let created = deployment.run(&[&create[..], &["--open", "--json"]].concat());
    assert_eq!(created.err, "", "nobody is late");
    assert_eq!(created.json()["producers"], serde_json::json!({"serving": 1, "late": []}));

    // This one stays alive and never reads the new poll.
    presence(&mut deployment, "stuck", now - 1_000).await;
    let create =
        ["poll", "create", "--slug", "two", "--title", "Two", "--option", "A", "--option", "B"];
    let created = deployment.run(&[&create[..], &["--open", "--json"]].concat());
    assert!(created.err.contains("producer stuck (it last read the polls"), "{created:?}");
    assert_eq!(created.json()["producers"]["serving"], 1);
    // A draft is served by nobody.
    let draft = [
        "poll", "create", "--slug", "three", "--title", "T", "--option", "A", "--option", "B",
        "--json",
    ];
    assert!(deployment.run(&draft).json().get("producers").is_none());
}

#[tokio::test]
async fn a_poll_is_listed_or_not_as_its_author_says_and_polls_with_codes_are_not() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    let shown = |words: &str| {
        let shown = deployment.run(&["poll", "show", "pets"]).ok();
        assert!(shown.contains(words), "{shown}");
    };
    shown("listing    on no list of polls");
    let poll = deployment.poll().await;
    assert_eq!((poll.listed, poll.is_listed()), (None, false));
    let said = deployment.run(&["poll", "set", "pets", "--listed"]).ok();
    assert!(said.contains("lists of polls name it"), "{said}");
    let listed = deployment.poll().await;
    assert_eq!((listed.listed, listed.revision), (Some(true), poll.revision + 1));
    let mut page = redis::cmd("HGET");
    page.arg(deployment.keys.polls()).arg("pets");
    let copy: String = deployment.redis(&page).await;
    assert!(projection::read_definition(&copy).unwrap().is_listed(), "producers read this copy");
    for settings in [&[][..], &["--listed", "--unlisted"]] {
        let said = deployment.run(&[&["poll", "set", "pets"], settings].concat());
        assert!(said.code == 2 && said.err.contains("--unlisted"), "{said:?}");
    }

    let file = testkit::folder("poll").join("poll.toml");
    let text = "slug = \"quiet\"\ntitle = \"Quiet?\"\nlisted = false\n\
                [[options]]\nslug = \"yes\"\nlabel = \"Yes\"\n[[options]]\nslug = \"no\"\nlabel = \"No\"\n";
    std::fs::write(&file, text).unwrap();
    deployment.run(&["poll", "create", "--file", file.to_str().unwrap()]).ok();
    let shown = deployment.run(&["poll", "show", "quiet", "--json"]).json();
    assert_eq!(shown["listed"], json!(false));
    let options = ["--option", "Yes", "--option", "No", "--unlisted"];
    let create = ["poll", "create", "--slug", "hushed", "--title", "Hushed?"];
    deployment.run(&[&create[..], &options[..]].concat()).ok();
    let shown = deployment.run(&["poll", "show", "hushed", "--json"]).json();
    assert_eq!(shown["listed"], json!(false));
}

#[tokio::test]
async fn a_poll_has_a_language_and_texts_in_others() {
    let mut deployment = Deployment::new().await;
    let file = testkit::folder("poll").join("poll.toml");
    let text = "slug = \"pets\"\ntitle = \"Cats or dogs?\"\nlang = \"en\"\ntitles = { de = \"Katzen oder Hunde?\" }\n\
        [[options]]\nslug = \"cats\"\nlabel = \"Cats\"\nlabels = { de = \"Katzen\", ar = \"قطط\" }\n\
        [[options]]\nslug = \"dogs\"\nlabel = \"Dogs\"\n";
    std::fs::write(&file, text).unwrap();
    deployment.run(&["poll", "create", "--file", file.to_str().unwrap(), "--open"]).ok();
    let poll = deployment.poll().await;
    assert_eq!(poll.title_in("de").text, "Katzen oder Hunde?");
    assert_eq!(poll.label_in(&poll.options[0], "ar").text, "قطط");
    assert_eq!(poll.lang.as_ref().map(ToString::to_string).as_deref(), Some("en"));

    let set = |more: &[&str]| deployment.run(&[&["poll", "set", "pets"][..], more].concat());
    let said = set(&["--in", "de", "--title", "Hund oder Katze?", "--label", "dogs=Hunde"]).ok();
    assert!(said.contains("title in de: Hund oder Katze?"), "{said}");
    set(&["--in", "ar", "--label", "cats="]).ok();
    assert!(set(&["--lang", "none"]).ok().contains("language: as the reader's browser"));
    set(&["--in", "de", "--label", "cats=a\u{202e}b"]).refused(1, &["`cats` in de", "U+202E"]);
    assert_eq!(set(&["--lang", "German"]).code, 2);
    assert_eq!(set(&["--in", "de"]).code, 2, "nothing is changed");
    let now = deployment.poll().await;
    assert_eq!((now.lang.as_ref(), now.revision), (None, poll.revision + 3));
    assert_eq!(
        (now.title.as_str(), now.title_in("de").text),
        ("Cats or dogs?", "Hund oder Katze?")
    );
    assert_eq!(now.label_in(&now.options[0], "ar").text, "Cats");
    assert_eq!(now.label_in(&now.options[1], "de").text, "Hunde");
    let mut page = redis::cmd("HGET");
    page.arg(deployment.keys.polls()).arg("pets");
    let copy: String = deployment.redis(&page).await;
    assert_eq!(projection::read_definition(&copy).unwrap(), now, "producers read this copy");
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    let changes = shown["changes"].as_array().unwrap().iter();
    let changes: Vec<[Value; 3]> = changes
        .map(|change| ["field", "before", "after"].map(|name| change[name].clone()))
        .collect();
    let expected = json!([
        ["label of dogs in de", null, "Hunde"],
        ["title in de", "Katzen oder Hunde?", "Hund oder Katze?"],
        ["label of cats in ar", "قطط", null],
        ["lang", "en", null],
    ]);
    assert_eq!(json!(changes), expected);
}
