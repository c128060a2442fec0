use serde_json::{Value, json};

use super::deployment::{Deployment, ballot};

async fn voted() -> Deployment {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    for (position, second) in [(0, 1_700_000_000), (0, 1_700_000_000), (1, 1_700_000_005)] {
        deployment.count(&ballot(&poll, position), &format!("{second}250-3")).await;
    }
    deployment
}

#[tokio::test]
async fn results_are_exported_as_csv_and_json() {
    let deployment = voted().await;
    let exported = deployment.run(&["poll", "export", "pets", "--format", "csv"]);
    assert!(exported.err.contains("NOT FINAL: the poll is open"), "{exported:?}");
    let csv = exported.ok();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "record,option,label,time,votes,share_percent");
    assert!(lines[1].starts_with("voters,,,") && lines[1].ends_with(",3,"), "{csv}");
    assert!(lines[2].starts_with("final,,,") && lines[2].ends_with(",0,"), "{csv}");
    assert!(lines[3].starts_with("waiting,,,") && lines[3].ends_with(",,"), "{csv}");
    assert_eq!(lines[4..6], ["option,cats,Cats,,2,66.6667", "option,dogs,Dogs,,1,33.3333"]);
    assert_eq!(lines[6], "second,,,2023-11-14T22:13:20Z,2,");
    assert_eq!((lines[7], lines.len()), ("second,,,2023-11-14T22:13:25Z,1,", 8));

    let path = testkit::folder("export").join("results.json");
    let file = path.to_str().unwrap();
    deployment.run(&["poll", "export", "pets", "--format", "json", "--output", file]).ok();
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&json["slug"], &json["state"]), (&json!("pets"), &json!("open")));
    assert_eq!(json["results"]["options"][0]["votes"], 2);
    assert_eq!(
        (&json["results"]["final"], &json["results"]["waiting"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(json["series"], json!([[1_700_000_000, 2], [1_700_000_005, 1]]));
}

#[tokio::test]
async fn no_cell_is_a_formula_and_excel_recognises_utf_8() {
    let deployment = Deployment::new().await;
    let mut create = vec!["poll", "create", "--slug", "sums", "--title", "Sums?"];
    for option in ["a==1+1", "b=+49", "c=-1", "d=@SUM(A1)", "e= =1", "f=1=1"] {
        create.extend(["--option", option]);
    }
    deployment.run(&create).ok();
    let export = ["poll", "export", "sums"];
    let csv = deployment.run(&export).ok();
    let mut labels = Vec::new();
    for line in csv.lines().filter(|line| line.starts_with("option,")) {
        labels.push(line.split(',').nth(2).unwrap());
    }
    assert_eq!(labels, ["'=1+1", "'+49", "'-1", "'@SUM(A1)", "' =1", "1=1"]);
    assert!(!csv.starts_with('\u{FEFF}'));
    let excel = deployment.run(&[&export[..], &["--excel"]].concat()).ok();
    assert!(excel.starts_with("\u{FEFF}record,option"), "{excel}");
}

#[tokio::test]
async fn every_vote_is_exported_for_an_audit() {
    let deployment = voted().await;
    let csv = deployment.run(&["poll", "export", "pets", "--votes"]).ok();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["voter", "choices", "entry", "ballot"]);
    assert_eq!(lines.len(), 4);
    assert_eq!((lines[3][1], lines[3][2]), ("dogs", "1700000005250-3"));
    assert!(lines[1..].iter().all(|line| line[0].len() == 32 && line[3].len() == 32));
    let json = deployment.run(&["poll", "export", "pets", "--votes", "--format", "json"]).json();
    assert_eq!(json["votes"].as_array().unwrap().len(), 3);
    assert_eq!(json["votes"][2]["choices"], json!(["dogs"]));
    deployment.run(&["poll", "export", "none"]).refused(1, &["no poll `none`"]);
    let unwritable = ["poll", "export", "pets", "--output", "/nowhere/file"];
    deployment.run(&unwritable).refused(1, &["/nowhere/file"]);
}

#[tokio::test]
async fn a_result_is_called_final_only_once_every_ballot_is_counted() {
    let deployment = voted().await;
    deployment.run(&["poll", "close", "pets"]).ok();
    let text = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(text.contains("NOT FINAL: the last ballots are being counted"), "{text}");
    let exported = deployment.run(&["poll", "export", "pets"]);
    assert!(
        exported.err.contains("NOT FINAL") && exported.out.contains("final,,,"),
        "{exported:?}"
    );
    // As the consumers store it.
    let closes_at_ms = deployment.poll().await.closes_at_ms.unwrap();
    let sql =
        "INSERT INTO watermarks SELECT n, $1 FROM deployment, generate_series(0, partitions - 1) n";
    deployment.postgres.execute(sql, &[&closes_at_ms]).await.unwrap();
    let text = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(text.contains("\nfinal: every accepted ballot is counted"), "{text}");
    let exported = deployment.run(&["poll", "export", "pets", "--format", "json"]);
    assert!(!exported.err.contains("FINAL"), "{exported:?}");
    assert_eq!(exported.json()["results"]["final"], true);
    deployment.postgres.execute("DELETE FROM watermarks WHERE partition = 0", &[]).await.unwrap();
    let text = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(text.contains("NOT FINAL"), "a partition whose watermark is not known: {text}");
}
