use std::os::unix::fs::PermissionsExt;

use testkit::{Browser, BrowserOptions};
use uuid::Uuid;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::{Poll, VoterKey};

use super::deployment::{Deployment, PARTITIONS};

async fn is_known(deployment: &mut Deployment, poll: &Poll, code: &Code) -> bool {
    let hash = CodeHash::of(code.key_in(poll).unwrap());
    let partition = hash.partition(PARTITIONS);
    let mut ask = redis::cmd("SISMEMBER");
    ask.arg(deployment.keys.code_hashes(partition, poll.id)).arg(hash.0.as_bytes().as_slice());
    deployment.redis(&ask).await
}

#[tokio::test]
async fn issued_codes_are_known_to_both_servers_as_hashes() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "50"]).ok();
    let codes: Vec<Code> = printed.lines().map(|line| Code::parse(line).unwrap()).collect();
    assert_eq!(codes.len(), 50);
    let rows = deployment.postgres.query("SELECT hash FROM voting_codes", &[]).await.unwrap();
    let stored: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored.len(), 50);
    for code in &codes {
        let (voter, key) = (code.voter(poll.id), code.key_in(&poll).unwrap());
        assert!(stored.contains(&CodeHash::of(key).0));
        assert!(!stored.contains(&key.0) && !stored.contains(&voter.0));
        let by_list_alone = CodeHash::of(VoterKey(voter.0)).0;
        assert!(!stored.contains(&by_list_alone), "it takes the secret of the poll");
        assert!(is_known(&mut deployment, &poll, code).await);
    }
    let ballot = votestream_schema::Ballot {
        voter: codes[0].key_in(&poll).unwrap(),
        ..super::deployment::ballot(&poll, 0)
    };
    deployment.count(&ballot, "1700000000000-0").await;
    let counted = deployment.run(&["codes", "count", "pets", "--json"]).json();
    assert_eq!((&counted["issued"], &counted["voted"]), (&50.into(), &1.into()));
    let more = deployment.run(&["codes", "issue", "pets", "--count", "1", "--json"]).json();
    assert_eq!(more["codes"].as_array().unwrap().len(), 1);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("51 codes"));
}

#[tokio::test]
async fn codes_go_to_a_new_private_file() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let path = testkit::folder("codes").join("codes.txt");
    let file = path.to_str().unwrap();
    let issue = ["codes", "issue", "pets", "--count", "3", "--output", file];
    let said = deployment.run(&issue).ok();
    assert!(said.contains("3 codes") && said.contains(file), "{said}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written.lines().count() == 3 && written.lines().all(|line| Code::parse(line).is_some())
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    deployment.run(&issue).refused(1, &[file, "exists"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("3 codes"));
}

const LINK: &str = "https://vote.example/polls/pets";

#[tokio::test]
async fn the_file_name_decides_between_list_csv_and_sheet() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let folder = testkit::folder("codes");
    let issue = |name: &str, more: &[&str]| {
        let file = folder.join(name);
        let issue = ["codes", "issue", "pets", "--count", "9", "--output", file.to_str().unwrap()];
        deployment.run(&[issue.as_slice(), more].concat()).ok();
        std::fs::read_to_string(file).unwrap()
    };
    let lists = [issue("codes.txt", &[]), issue("as-list.csv", &["--format", "list"])];
    for list in lists {
        assert_eq!(list.lines().filter_map(Code::parse).count(), 9, "{list}");
    }
    let bare = issue("bare.CSV", &[]);
    assert_eq!(bare.lines().next(), Some("code"));
    assert_eq!(bare.lines().skip(1).filter_map(Code::parse).count(), 9, "{bare}");

    for linked in
        [issue("codes.csv", &["--link", LINK]), issue("a", &["--format", "csv", "--link", LINK])]
    {
        assert_eq!(linked.lines().next(), Some("code,link"));
        for row in linked.lines().skip(1) {
            let (code, link) = row.split_once(',').unwrap();
            assert_eq!(link, format!("{LINK}#code={code}"));
            assert_eq!(Code::parse(code).unwrap().printed(), code);
        }
        assert_eq!(linked.lines().count(), 10);
    }
    let sheet = issue("codes.html", &["--link", LINK]);
    assert_eq!(sheet.matches("<article").count(), 9);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("54 codes"));
}

#[tokio::test]
async fn a_sheet_has_a_card_for_each_code_and_loads_nothing() {
    let deployment = Deployment::new().await;
    let title = "Cats & <b>dogs</b>?";
    let create = ["poll", "create", "--slug", "pets", "--title", title, "--voter-policy", "code"];
    deployment.run(&[create.as_slice(), &["--option", "Cats", "--option", "Dogs"]].concat()).ok();
    let issue = ["codes", "issue", "pets", "--count", "9", "--format", "sheet", "--link", LINK];
    let sheet = deployment.run(&issue).ok();
    assert_eq!(sheet.matches("<section class=\"page\">").count(), 2, "eight cards to a page");
    assert!(!sheet.contains("<b>") && sheet.contains("Cats &#38; &#60;b&#62;dogs"), "{sheet}");
    for loads in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!sheet.contains(loads), "{loads}");
    }
    let poll = deployment.poll().await;
    let mut known = deployment.postgres.query("SELECT hash FROM voting_codes", &[]).await.unwrap();
    for card in sheet.split("<article").skip(1) {
        let printed = card.split("<p class=\"code\">").nth(1).unwrap().split('<').next().unwrap();
        let hash = CodeHash::of(Code::parse(printed).unwrap().key_in(&poll).unwrap()).0;
        known.retain(|row| row.get::<_, Uuid>(0) != hash);
        assert!(card.contains("<path d=\"M0 0h7v1h-7z"), "{card}");
        assert!(card.replace("<wbr>", "").contains(&format!("<strong>{LINK}</strong>")), "{card}");
    }
    assert!(known.is_empty(), "each card has a code of its own");
}

/// Lists the cards whose content is cut off.
const CUT_OFF: &str = "return [...document.querySelectorAll('.card')].flatMap((card) => {
    const box = card.getBoundingClientRect();
    return [...card.children].filter((part) => {
        const { bottom, right } = part.getBoundingClientRect();
        return bottom > box.bottom || right > box.right || part.scrollWidth > part.clientWidth + 1
            || part.scrollHeight > part.clientHeight + 1;
    }).map((part) => part.className);
})";

#[tokio::test]
async fn a_sheet_in_a_browser_cuts_nothing_off() {
    let deployment = Deployment::new().await;
    let long_title = "A cat that has walked by herself for a long time ".repeat(4);
    let long_link = format!("{LINK}?{}", "a-long-address-".repeat(11));
    let browser = Browser::start(BrowserOptions::default()).await;
    let mut found = Vec::new();
    for (slug, title, link) in [("short", "Pets?", LINK), ("long", long_title.trim(), &long_link)] {
        let create = ["poll", "create", "--slug", slug, "--title", title, "--voter-policy", "code"];
        let options = ["--option", "Cats", "--option", "Dogs"];
        deployment.run(&[create.as_slice(), &options].concat()).ok();
        let path = testkit::folder("sheets").join(format!("{slug}.html"));
        let file = path.to_str().unwrap();
        let issue = ["codes", "issue", slug, "--count", "19", "--link", link, "--output", file];
        deployment.run(&issue).ok();
        browser.goto(&format!("file://{file}")).await.unwrap();
        found.extend(browser.flaws(&format!("sheet-{slug}")).await);
        let cut = browser.execute(CUT_OFF, Vec::new()).await.unwrap();
        assert_eq!(cut.as_array().map(Vec::len), Some(0), "{slug}: {cut}");
        assert_eq!(browser.console_errors().await, Vec::<String>::new(), "{slug}");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn json_has_links_beside_the_codes() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let issue = ["codes", "issue", "pets", "--count", "2", "--json"];
    let plain = deployment.run(&issue).json();
    assert!(plain["codes"].as_array().unwrap().len() == 2 && plain.get("links").is_none());
    let linked = deployment.run(&[issue.as_slice(), &["--link", LINK]].concat()).json();
    for (code, link) in (0..2).map(|at| (&linked["codes"][at], &linked["links"][at])) {
        assert_eq!(link.as_str().unwrap(), format!("{LINK}#code={}", code.as_str().unwrap()));
    }
    let file = testkit::folder("codes").join("codes.csv");
    let to_file = ["--link", LINK, "--output", file.to_str().unwrap()];
    let said = deployment.run(&[issue.as_slice(), &to_file].concat()).json();
    assert!(said["file"].is_string() && said.get("codes").is_none() && said.get("links").is_none());
}

#[tokio::test]
async fn what_could_not_be_written_is_refused_before_a_code_exists() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let file = testkit::folder("codes").join("codes.html");
    let file = file.to_str().unwrap();
    let issue =
        |more: &[&str]| deployment.run(&[["codes", "issue", "pets"].as_slice(), more].concat());
    issue(&["--count", "3", "--output", file]).refused(1, &["a sheet needs --link"]);
    let many = ["--count", "10001", "--output", file, "--link", LINK];
    issue(&many).refused(1, &["10000 codes at most", "--format csv"]);
    issue(&["--count", "3", "--link", LINK]).refused(1, &["a list has no links", "--format csv"]);
    let links = [
        ("vote.example/polls/pets", "such as https://"),
        ("ftp://vote.example/", "https:// or http://"),
        ("https://vote.example/#top", "leave out `#`"),
        ("https://me:secret@vote.example/", "user name and password"),
    ];
    for (link, words) in links {
        let said = issue(&["--count", "3", "--format", "csv", "--link", link]);
        assert!(said.code == 2 && said.err.contains(words), "{said:?}");
    }
    assert!(!std::fs::exists(file).unwrap());
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("pets`: 0 codes"));
}

#[tokio::test]
async fn imported_codes_are_known_to_both_servers_and_count_once() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let own: Vec<Code> = (0..3).map(|_| Code::generate()).collect();
    let path = testkit::folder("codes").join("own.csv");
    let file = path.to_str().unwrap();
    let [one, two, three] = [&own[0], &own[1], &own[2]].map(Code::printed);
    let typed = two.to_lowercase().replace('-', " – ");
    std::fs::write(&path, format!("name;Code\nA;{one}\nB;„{typed}“\nC;{one}\n")).unwrap();
    let import = ["codes", "import", "pets", file];
    let said = deployment.run(&import);
    assert_eq!(said.err, "", "random codes get no warning");
    let said = said.ok();
    assert!(said.contains("2 codes imported, 1 repeated in the file (line 4)"), "{said}");
    for code in &own[..2] {
        assert!(is_known(&mut deployment, &poll, code).await);
    }
    let from_stdin = format!("{one}\n{three}\n");
    let again = deployment.run_with_input(&["codes", "import", "pets", "-", "--json"], &from_stdin);
    let again = again.json();
    assert_eq!((&again["added"], &again["already_there"]), (&1.into(), &1.into()), "{again}");
    assert!(is_known(&mut deployment, &poll, &own[2]).await);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("pets`: 3 codes"));
}

#[tokio::test]
async fn a_file_that_codes_issue_wrote_can_be_imported_into_another_poll() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let create =
        ["poll", "create", "--slug", "more", "--title", "M", "--option", "a", "--option", "b"];
    deployment.run(&[create.as_slice(), &["--voter-policy", "code"]].concat()).ok();
    for (name, number) in [("codes.csv", 4), ("codes.txt", 5)] {
        let path = testkit::folder("codes").join(name);
        let (file, number) = (path.to_str().unwrap(), number.to_string());
        let mut issue = vec!["codes", "issue", "pets", "--count", &number, "--output", file];
        if name.ends_with("csv") {
            issue.extend(["--link", LINK]);
        }
        deployment.run(&issue).ok();
        let said = deployment.run(&["codes", "import", "more", file]).ok();
        assert!(said.contains(&format!("{number} codes imported")), "{said}");
    }
}

#[tokio::test]
async fn a_file_with_a_line_that_is_no_code_imports_nothing() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let import = |text: &str| deployment.run_with_input(&["codes", "import", "pets", "-"], text);
    let good = Code::generate().printed();
    let said = import(&format!("{good}\n0123-4567\n\n{good}U\n"))
        .refused(1, &["line 2 has 8 characters", "line 4 has the character 'U'", "no code was"]);
    assert!(!said.contains(&good), "an error shows no code: {said}");
    import("").refused(1, &["- has no code"]);
    let missing = deployment.run(&["codes", "import", "pets", "/nowhere/codes.csv"]);
    missing.refused(1, &["/nowhere/codes.csv", "No such file"]);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("pets`: 0 codes"));
    deployment.run(&["poll", "open", "pets"]).ok();
    deployment.run(&["poll", "close", "pets"]).ok();
    import(&good).refused(1, &["closed"]);
}

#[tokio::test]
async fn codes_that_can_be_guessed_are_imported_with_a_warning() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let counted: String = (1..=3).map(|n| format!("8KQ2-M9TR-W4XD-{n:04}\n")).collect();
    let said = deployment.run_with_input(&["codes", "import", "pets", "-"], &counted);
    let warning =
        "votectl: warning: 3 codes share more than 8 leading characters with another code";
    assert!(said.err.contains(warning), "{said:?}");
    assert!(said.ok().contains("3 codes imported"));
}

#[tokio::test]
async fn only_polls_that_take_codes_get_them() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let issue = |slug: &str| deployment.run(&["codes", "issue", slug, "--count", "1"]);
    issue("pets").refused(1, &["anybody may vote", "--voter-policy code"]);
    issue("none").refused(1, &["no poll `none`"]);
    assert_eq!(deployment.run(&["codes", "issue", "pets", "--count", "0"]).code, 2);
    let create =
        ["poll", "create", "--slug", "coded", "--title", "C", "--option", "a", "--option", "b"];
    deployment.run(&[create.as_slice(), &["--open", "--voter-policy", "code"]].concat()).ok();
    deployment.run(&["poll", "close", "coded"]).ok();
    issue("coded").refused(1, &["closed"]);
}

#[tokio::test]
async fn codes_that_redis_lost_come_back_with_the_poll() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "20"]).ok();
    for partition in 0..PARTITIONS {
        let keys =
            [deployment.keys.rules(partition), deployment.keys.code_hashes(partition, poll.id)];
        deployment.redis::<i64>(redis::cmd("DEL").arg(&keys)).await;
    }
    deployment.run(&["poll", "open", "pets"]).ok();
    for line in printed.lines() {
        assert!(is_known(&mut deployment, &poll, &Code::parse(line).unwrap()).await);
    }
}

#[tokio::test]
async fn revoked_codes_admit_nobody_and_stay_revoked() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "5"]).ok();
    let codes: Vec<Code> = printed.lines().map(|line| Code::parse(line).unwrap()).collect();
    let ballot = votestream_schema::Ballot {
        voter: codes[0].key_in(&poll).unwrap(),
        ..super::deployment::ballot(&poll, 0)
    };
    deployment.count(&ballot, "1700000000000-0").await;
    let path = testkit::folder("codes").join("lost.txt");
    let file = path.to_str().unwrap();
    let write = |codes: &[&Code]| {
        let lines: Vec<String> = codes.iter().map(|code| code.printed()).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
    };
    let stranger = Code::generate();
    write(&[&codes[0], &codes[1], &stranger]);
    let before_ms = votestream_schema::poll::now_ms();
    let said = deployment.run(&["codes", "revoke", "pets", file]).ok();
    assert_eq!(
        said.trim(),
        "poll `pets`: 2 codes revoked (1 of them have voted: these votes stay), 1 are not codes of this poll"
    );
    for (position, code) in codes.iter().enumerate() {
        assert_eq!(is_known(&mut deployment, &poll, code).await, position >= 2, "{position}");
    }
    let sql = "SELECT min(revoked_at_ms) FROM voting_codes";
    let revoked_at_ms: i64 = deployment.postgres.query_one(sql, &[]).await.unwrap().get(0);
    assert!((before_ms - 1_000..before_ms + 60_000).contains(&revoked_at_ms));
    assert!(
        deployment.run(&["codes", "count", "pets"]).ok().contains("5 codes issued, 2 revoked, 1")
    );
    let again = deployment.run(&["codes", "revoke", "pets", file, "--json"]).json();
    assert_eq!((&again["revoked"], &again["already_revoked"]), (&0.into(), &2.into()));
    // An import does not bring them back, neither in Postgres nor in Redis.
    let imported = deployment.run(&["codes", "import", "pets", file]).ok();
    assert!(
        imported.contains("1 codes imported, 2 were there already (2 of them are revoked"),
        "{imported}"
    );
    assert!(!is_known(&mut deployment, &poll, &codes[1]).await);
    assert!(is_known(&mut deployment, &poll, &stranger).await);
    deployment.run(&["codes", "revoke", "none", file]).refused(1, &["no poll `none`"]);
}
