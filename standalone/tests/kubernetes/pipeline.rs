//! The services on the servers, users and secrets of the manifests: they count votes, survive changed passwords, and a
//! backup restores all votes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testkit::{
    PostgresServer, Process, RedisServer, binary, create_database, eventually, folder, free_port,
};
use tokio_postgres::{Client, NoTls};

use crate::deployment::{
    Secrets, backup_job, make_roles, migrate, postgres, project, redis, said, succeeds, votectl,
};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The services, on servers with the configuration of the manifests.
struct ManifestDeployment {
    secrets: Secrets,
    redis: RedisServer,
    postgres: PostgresServer,
    ports: [u16; 2],
    _services: Vec<Process>,
}

impl ManifestDeployment {
    async fn start() -> Self {
        let secrets = Secrets::make_for_installed_redis();
        let redis = redis(&secrets);
        let postgres = postgres(&secrets).await;
        secrets.point_at(redis.port(), postgres.port());
        migrate(&secrets);
        succeeds(
            votectl(&secrets)
                .args(["poll", "create", "--slug=cats-vs-dogs", "--title=Cats vs Dogs"])
                .args(["--option=cats=Cats", "--option=dogs=Dogs", "--open"]),
        );
        let ports = [free_port(), free_port()];
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let services = vec![
            service("producer", &secrets, &["redis-url", "cookie-keys"], Some(&listen(ports[0])))
                .await,
            service("consumer", &secrets, &["redis-url", "database-url"], None).await,
            service("dashboard", &secrets, &["database-url"], Some(&listen(ports[1]))).await,
        ];
        Self { secrets, redis, postgres, ports, _services: services }
    }

    /// Casts ballots with the load tester, which waits until every one of them is counted.
    fn vote(&self, seed: u32) {
        let [vote, results] = self.ports.map(|port| format!("http://127.0.0.1:{port}"));
        let output = Command::new(binary("loadtest"))
            .args(["run", "--quiet", "--rate=400", "--duration=1s", "--json=-"])
            .arg(format!("--seed={seed}"))
            .args(["--target", &vote, "--results", &results])
            .output()
            .unwrap();
        // Exit code 1 means that the load was sent late, as on a busy machine. The audit is valid nevertheless.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["audit"]["verdict"], "balanced", "{report}");
    }

    async fn votes(&self) -> i64 {
        let client = admin(&self.postgres, "votestream").await;
        client.query_one("SELECT count(*) FROM votes", &[]).await.unwrap().get(0)
    }
}

async fn service(name: &str, secrets: &Secrets, files: &[&str], listen: Option<&str>) -> Process {
    let admin = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(binary(name));
    command.env_clear().env("ADMIN_ADDR", &admin).env("NEW_VOTERS_PER_MINUTE", "0");
    for file in files {
        let variable = format!("{}_FILE", file.to_uppercase().replace('-', "_"));
        command.env(variable, secrets.0.join(name).join(file));
    }
    if let Some(listen) = listen {
        command.env("LISTEN_ADDR", listen);
    }
    let run = folder(name);
    let log = run.join("log");
    let process = Process::spawn(name, command, &run, &log, &run.join("pid")).unwrap();
    eventually(READY_WITHIN, async || {
        let ready = http(&admin, "GET /readyz", "").contains("200 OK");
        ready.then_some(()).ok_or_else(|| fs::read_to_string(&log).unwrap())
    })
    .await;
    process
}

/// Sends one request and returns the reply, or an empty text if nobody answers.
fn http(address: &str, request: &str, body: &str) -> String {
    let mut reply = Vec::new();
    let _ = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )?;
        stream.read_to_end(&mut reply)
    });
    String::from_utf8_lossy(&reply).into_owned()
}

async fn admin(server: &PostgresServer, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn services_count_with_the_manifests_users_and_outlive_changed_passwords() {
    let system = ManifestDeployment::start().await;
    system.vote(1);
    let counted = system.votes().await;
    assert!(counted > 0);

    // The passwords on both servers change, and all connections that used the old ones are closed.
    let old_password = system.secrets.read("passwords/redis-producer");
    for name in ["redis-producer", "redis-consumer", "votestream_consumer", "votestream_dashboard"]
    {
        fs::remove_file(system.secrets.0.join("passwords").join(name)).unwrap();
    }
    system.secrets.make_again();
    system.secrets.point_at(system.redis.port(), system.postgres.port());
    make_roles(&system.postgres, &system.secrets);
    deliver_users(&system);
    reload_users(&system);
    // Pods receive a changed secret at different times, so Redis accepts both passwords meanwhile.
    assert!(accepts(&system, "producer", &old_password));
    assert!(accepts(&system, "producer", &system.secrets.read("passwords/redis-producer")));
    for user in ["producer", "consumer"] {
        operator(&system, &["CLIENT", "KILL", "USER", user]);
    }
    let client = admin(&system.postgres, "votestream").await;
    let ended =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'votestream_%'";
    client.batch_execute(ended).await.unwrap();

    eventually(READY_WITHIN, async || {
        let address = format!("127.0.0.1:{}", system.ports[0]);
        let ballot = r#"{"choices":["cats"]}"#;
        let reply = http(&address, "POST /api/polls/cats-vs-dogs/ballots", ballot);
        reply.contains("accepted").then_some(()).ok_or(reply)
    })
    .await;
    eventually(READY_WITHIN, async || (system.votes().await > counted).then_some(())).await;
    // A ballot whose reply was lost with its connection may still wait in the stream.
    succeeds(votectl(&system.secrets).args(["audit", "--wait", "60"]));
    // The dashboard reconnects by itself. The load tester begins with the tally that it shows.
    let counted_now = system.votes().await;
    eventually(READY_WITHIN, async || {
        let address = format!("127.0.0.1:{}", system.ports[1]);
        let tally = http(&address, "GET /api/polls/cats-vs-dogs/tally", "");
        tally.contains(&format!("\"voters\":{counted_now},")).then_some(()).ok_or(tally)
    })
    .await;

    system.secrets.forget_old();
    system.secrets.point_at(system.redis.port(), system.postgres.port());
    deliver_users(&system);
    reload_users(&system);
    assert!(!accepts(&system, "producer", &old_password));
    assert!(accepts(&system, "producer", &system.secrets.read("passwords/redis-producer")));
    system.vote(2);
    assert!(system.votes().await > counted + 1);
}

/// Runs `k8s/reload-users` with a replacement for `kubectl` that knows one pod and runs its commands on this machine.
fn reload_users(system: &ManifestDeployment) {
    let tools = folder("tools");
    let log = tools.join("log");
    let (redis, path) = (system.redis.port(), std::env::var("PATH").unwrap());
    for (name, script) in [
        (
            "kubectl",
            format!(
                "echo \"$@\" >>'{}'\ncase $* in *' get pods '*) echo pod/redis-0; exit ;; esac\n\
                 while [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"",
                log.display()
            ),
        ),
        ("redis-cli", format!("shift 2; PATH='{path}' exec redis-cli -p {redis} \"$@\"")),
    ] {
        let tool = tools.join(name);
        fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = succeeds(
        Command::new(project("k8s/reload-users"))
            .arg(system.secrets.0.join("redis-server/operator-password"))
            .env("USERS", system.secrets.0.join("redis-server/users.acl"))
            .env("PATH", format!("{}:{path}", tools.display())),
    );
    assert_eq!(said, "pod/redis-0\n6379: OK\n");
    let password = system.secrets.read("redis-server/operator-password");
    assert!(!fs::read_to_string(log).unwrap().contains(&password));
}

/// Writes the users' file to the place from which Redis reads it, as a kubelet does.
fn deliver_users(system: &ManifestDeployment) {
    let acl_file = operator(system, &["CONFIG", "GET", "aclfile"]);
    let users = system.secrets.read("redis-server/users.acl");
    fs::write(acl_file.lines().last().unwrap(), users).unwrap();
}

/// Returns whether Redis accepts this password.
fn accepts(system: &ManifestDeployment, user: &str, password: &str) -> bool {
    let output = Command::new("redis-cli")
        .args(["-p", &system.redis.port().to_string(), "AUTH", user, password])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim() == "OK"
}

fn operator(system: &ManifestDeployment, words: &[&str]) -> String {
    let mut client = Command::new("redis-cli");
    client
        .args(["-p", &system.redis.port().to_string(), "--user", "operator"])
        .args(words)
        .env("REDISCLI_AUTH", system.secrets.read("passwords/redis-operator"));
    succeeds(&mut client)
}

/// Returns the number of rows and a checksum of every table.
async fn table_checksums(server: &PostgresServer, database: &str) -> Vec<String> {
    let client = admin(server, database).await;
    let mut found = Vec::new();
    for table in [
        "polls",
        "options",
        "votes",
        "tally",
        "poll_tally",
        "series",
        "set_aside",
        "codes",
        // Its epoch is another one after a restore.
        "(SELECT partitions FROM deployment)",
    ] {
        let sql = format!(
            "SELECT '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '-') FROM {table} t"
        );
        found.push(client.query_one(&sql, &[]).await.unwrap().get(0));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_is_restored_to_the_last_vote() {
    let system = ManifestDeployment::start().await;
    system.vote(1);
    let backups = folder("backups");
    let script = |job: &str, database: &str| {
        fs::write(system.secrets.0.join(job).join("PGDATABASE"), database).unwrap();
        backup_job(&system.secrets, job, &backups)
    };
    let dumps = || -> Vec<PathBuf> {
        let mut found: Vec<_> =
            fs::read_dir(&backups).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found
    };

    // A backup removes the oldest dumps. One that fails leaves no file and removes none.
    for day in ["20200101", "20200102"] {
        fs::write(backups.join(format!("votestream-{day}T000000Z.dump")), "old").unwrap();
    }
    let failed = script("backup", "nowhere").output().unwrap();
    assert!(!failed.status.success());
    assert_eq!(dumps().len(), 2);
    let printed = succeeds(&mut script("backup", "votestream"));
    assert!(printed.contains("2 dumps"), "{printed}");
    let kept = dumps();
    assert!(kept[0].ends_with("votestream-20200102T000000Z.dump") && kept.len() == 2, "{kept:?}");

    // A restore needs an empty database, and refuses one that has tables.
    let empty = create_database(&system.postgres).await;
    let empty = empty.rsplit('/').next().unwrap().to_owned();
    let client = admin(&system.postgres, "postgres").await;
    client.batch_execute(&format!("ALTER DATABASE {empty} OWNER TO votestream")).await.unwrap();
    succeeds(&mut script("restore", &empty));
    let restored = table_checksums(&system.postgres, &empty).await;
    assert_eq!(restored, table_checksums(&system.postgres, "votestream").await);
    assert!(!restored.contains(&"votes 0 -".to_owned()), "{restored:?}");
    let epoch = async |database: &str| -> String {
        let client = admin(&system.postgres, database).await;
        let sql = "SELECT epoch::text FROM deployment";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    assert_ne!(epoch(&empty).await, epoch("votestream").await, "a Redis that was kept notices");
    let again = script("restore", &empty).output().unwrap();
    assert!(!again.status.success() && said(&again).contains("not empty"), "{}", said(&again));

    // After a migration the restored database works: its tally equals a recount of its votes.
    let url =
        system.secrets.read("operator/database-url").replace("/votestream?", &format!("/{empty}?"));
    fs::write(system.secrets.0.join("operator/database-url"), url).unwrap();
    migrate(&system.secrets);
    let consumer = system.postgres.url_for(
        "votestream_consumer",
        &system.secrets.read("postgres-consumer/password"),
        &empty,
    );
    let (client, connection) = tokio_postgres::connect(&consumer, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query("SELECT * FROM votes", &[]).await.unwrap();
    let audit = succeeds(votectl(&system.secrets).args(["audit", "cats-vs-dogs"]));
    assert!(audit.contains("cats-vs-dogs"), "{audit}");
}
