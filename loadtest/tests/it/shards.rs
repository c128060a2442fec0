//! Several load testers together send the load of one.

use std::process::Stdio;

use votestream_loadtest::{AuditVerdict, Findings, Latencies, merge};

use crate::fake::{Fake, Fault};
use crate::tool::{Done, Folder, command, done, loadtest, report};

/// Loads a deployment from three processes at once, and returns the folder with their reports.
fn three_shards(fake: &Fake) -> (Folder, Vec<Done>) {
    let folder = Folder::new();
    let url = fake.url();
    let shards: Vec<_> = (1..=3)
        .map(|nth| {
            let json = folder.join(&format!("{nth}.json"));
            let line = format!(
                "run --target {url} --results {url} --rate 301 --duration 1s --warm-up 0s --arrivals constant \
                 --shard {nth}/3 --drain-timeout 500ms --json {}",
                json.display()
            );
            command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended = shards.into_iter().map(|shard| done(shard.wait_with_output().unwrap())).collect();
    (folder, ended)
}

fn merged(folder: &Folder) -> Done {
    let files: Vec<String> =
        (1..=3).map(|nth| folder.join(&format!("{nth}.json")).display().to_string()).collect();
    loadtest(&format!("merge {} --json {}", files.join(" "), folder.join("all.json").display()))
}

#[test]
fn merged_shards_are_the_whole_plan() {
    let fake = Fake::with(Fault::None);
    let (folder, ended) = three_shards(&fake);
    assert!(ended.iter().all(|done| done.code == 0), "{}", ended[0].stdout);
    let done = merged(&folder);
    assert_eq!(done.code, 0, "{}", done.stdout);
    let all = report(&folder.join("all.json"));
    assert_eq!(
        (all.schedule.intended, all.audit.acknowledged_voters, fake.voters()),
        (301, 301, 301)
    );
    assert_eq!(
        (all.audit.verdict, all.audit.findings),
        (AuditVerdict::Balanced, Findings::default())
    );
    assert_eq!((all.setup.parts, all.setup.shard), (3, None));

    // The merged histogram is the same as one that recorded all latencies.
    let mut sum = Latencies::default();
    for nth in 1..=3 {
        let part = report(&folder.join(&format!("{nth}.json")));
        assert_eq!(part.audit.verdict, AuditVerdict::Partial);
        sum.add(&part.ballots.latency.latencies().unwrap());
    }
    assert_eq!(all.ballots.latency, (&sum).into());
    assert_eq!(all.series.points.iter().map(|point| point.sent).sum::<u64>(), 301);
}

#[test]
fn loss_that_no_shard_could_see_shows_in_the_merged_audit() {
    let fake = Fake::with(Fault::Drop);
    let (folder, ended) = three_shards(&fake);
    assert!(ended.iter().all(|done| done.code == 0), "{}", ended[0].stdout);
    let done = merged(&folder);
    assert_eq!(done.code, 2, "{}", done.stdout);
    assert_eq!(
        report(&folder.join("all.json")).audit.findings,
        Findings { lost: 1, ..Findings::default() }
    );
}

#[test]
fn reports_that_do_not_belong_together_are_not_merged() {
    let fake = Fake::with(Fault::None);
    let (folder, _) = three_shards(&fake);
    let parts: Vec<_> = (1..=3).map(|nth| report(&folder.join(&format!("{nth}.json")))).collect();
    let refused = |parts: &[votestream_loadtest::Report]| merge(parts).unwrap_err().to_string();
    assert!(refused(&parts[..2]).contains("shard 3/3 is missing"));
    assert!(refused(&[parts[0].clone(), parts[0].clone(), parts[2].clone()]).contains("twice"));
    let altered = |alter: fn(&mut votestream_loadtest::Report)| {
        let mut other = parts.clone();
        alter(&mut other[1]);
        refused(&other)
    };
    assert!(altered(|report| report.setup.seed += 1).contains("seeds"));
    assert!(altered(|report| report.setup.mix.twice = 0.5).contains("mixes of voters"));
    assert!(altered(|report| report.setup.weights = Some("cats=1".into())).contains("weights"));
    let later = altered(|report| {
        report.setup.started_at = "2999-01-01T00:00:00Z".into();
        report.setup.ended_at = "2999-01-01T00:00:09Z".into();
    });
    assert!(later.contains("one run began at 2999-01-01T00:00:00Z"), "{later}");
    assert!(merge(&[]).is_err());
}
