//! Runs the probes of the manifests against real servers, as the user id of the pods, which has no entry in
//! `/etc/passwd`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use testkit::{certificates, eventually};

use crate::deployment::{Secrets, postgres, project, redis, redis_with, said};
use crate::pods::Pods;

/// The user id of every pod (`runAsUser`).
const USER: u32 = 65532;

/// Returns every probe that runs a command (`exec: {command: [...]}`, also over two lines) with its file.
fn probes(folder: &Path) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(probes(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(project("k8s")).unwrap().display().to_string();
            for after in text.split("exec:").skip(1) {
                let (_, list) = after.split_once("command: [").expect("a probe in one line");
                found.push((name.clone(), words(list)));
            }
        }
    }
    found
}

/// Returns the items of a YAML list that stands in one line, up to its closing bracket.
fn words(list: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in list.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ']' if !quoted => break,
            ',' if !quoted => words.push(std::mem::take(&mut word)),
            ' ' if !quoted => {}
            _ => word.push(letter),
        }
    }
    words.push(word);
    words
}

/// Runs a command as [`USER`], which this machine must not know either.
fn as_stranger(words: &[String], variables: &[(&str, String)]) -> Output {
    let known = fs::read_to_string("/etc/passwd").unwrap();
    assert!(!known.contains(&format!(":{USER}:")), "this machine knows user {USER}");
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).uid(USER).gid(USER);
        command
    } else {
        let mut command = Command::new("unshare");
        command.args(["--user", &format!("--map-user={USER}")]).args(words);
        command
    };
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.current_dir("/").output().unwrap()
}

/// Makes all files below this folder readable for everybody, as a pod's files are readable for the pod's group.
fn open(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open(&path);
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_that_is_a_command_succeeds_as_the_pods_user() {
    let secrets = Secrets::make();
    let plain = redis(&secrets);
    let certificates = certificates();
    let encrypted = redis_with(&secrets, |options| options.tls = Some(certificates.server.clone()));
    let tls_port = encrypted.tls_url().unwrap().trim_end_matches('/').to_owned();
    let tls_port = tls_port.rsplit(':').next().unwrap().to_owned();
    let postgres = postgres(&secrets).await;
    let mut pods = Pods::start();
    pods.form();
    open(&pods.secrets.0);

    let authority = certificates.authority.display().to_string();
    let scripts = project("k8s/components/redis-cluster").display().to_string();
    // Without `there`, the probe must fail: nobody listens on port 1, and the folder does not exist.
    let probe = |file: &str, words: &[String], pods: &mut Pods, there: bool| {
        let port = |port: String| if there { port } else { "1".to_owned() };
        let client = |to: String| ("redis-cli ", format!("redis-cli -p {to} "));
        let run =
            if there { pods.pod(1).run().display().to_string() } else { "/nowhere".to_owned() };
        let (instead, variables) = match file {
            "components/postgres/statefulset.yaml" => {
                (Vec::new(), vec![("PGPORT", port(postgres.port().to_string()))])
            }
            "components/redis/statefulset.yaml" => {
                (vec![client(port(plain.port().to_string()))], Vec::new())
            }
            file if file.starts_with("components/tls") => (
                vec![client(port(tls_port.clone())), ("/tls/ca.crt", authority.clone())],
                Vec::new(),
            ),
            "components/redis-cluster/statefulset.yaml" => (
                vec![("/config", scripts.clone()), ("/run/redis", run)],
                vec![
                    ("PORT", port("6380".to_owned())),
                    ("POD_IP", pods.pod(1).address.to_string()),
                    ("SECRETS", pods.secrets.0.join("redis-server").display().to_string()),
                ],
            ),
            _ => panic!("{file} has a probe that nobody tries: {words:?}"),
        };
        let here = |word: &String| {
            instead.iter().fold(word.clone(), |word, (there, here)| word.replace(there, here))
        };
        let words: Vec<String> = words.iter().map(here).collect();
        as_stranger(&words, &variables)
    };
    // Each probe must succeed while the server is there, and fail without it.
    let probes = probes(&project("k8s/components"));
    assert!(probes.len() >= 5, "{probes:?}");
    for (file, words) in &probes {
        eventually(Duration::from_secs(10), async || {
            let output = probe(file, words, &mut pods, true);
            output.status.success().then_some(()).ok_or_else(|| said(&output))
        })
        .await;
        assert!(!probe(file, words, &mut pods, false).status.success(), "{file}: {words:?}");
    }
}
