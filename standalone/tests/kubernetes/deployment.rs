//! The parts of a deployment as the manifests make them, on servers that belong to one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use standalone::servers::has_no_waitaof;
use testkit::{
    PostgresOptions, PostgresServer, RedisOptions, RedisServer, RedisUser, binary, folder,
    own_postgres_with, own_redis_with,
};

/// The password of the Redis administrator until the manifests' users are loaded.
const ADMIN: &str = "admin-password";

/// Returns the path of a file in the workspace.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// A folder of secrets, which the manifests' own script generates.
pub struct Secrets(pub PathBuf);

impl Secrets {
    pub fn make() -> Self {
        Self::make_for("")
    }

    /// Generates secrets whose addresses use TLS for these servers (`redis`, `postgres`, separated by a space).
    pub fn make_for(tls: &str) -> Self {
        let secrets = Self(folder("secrets"));
        succeeds(secrets.script().env("TLS", tls).env("REDIS_BEFORE_7_2", ""));
        secrets
    }

    /// Generates secrets for the Redis that is installed here. Those of [`Secrets::make`] are for the Redis that is shipped.
    pub fn make_for_installed_redis() -> Self {
        let secrets = Self(folder("secrets"));
        let is_old = if has_no_waitaof(Path::new("redis-server")) { "yes" } else { "" };
        succeeds(secrets.script().env("TLS", "").env("REDIS_BEFORE_7_2", is_old));
        secrets
    }

    /// Runs the script again. It keeps every secret that exists, and generates those that are missing.
    pub fn make_again(&self) {
        succeeds(self.script().env_remove("TLS").env_remove("REDIS_BEFORE_7_2"));
    }

    /// Removes the hashes of earlier passwords.
    pub fn forget_old(&self) {
        let mut script = Command::new(project("k8s/components/dev-secrets/make"));
        let script = script.arg("--forget-old").arg(&self.0);
        succeeds(script.env_remove("TLS").env_remove("REDIS_BEFORE_7_2"));
    }

    fn script(&self) -> Command {
        let mut script = Command::new(project("k8s/components/dev-secrets/make"));
        script.arg(&self.0);
        script
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Replaces the cluster's host names in all secrets by the ports of the test's servers.
    pub fn point_at(&self, redis: u16, postgres: u16) {
        for owner in ["producer", "consumer", "dashboard", "operator"] {
            for (file, name, port) in
                [("redis-url", "@redis:6379", redis), ("database-url", "@postgres:5432", postgres)]
            {
                let path = self.0.join(owner).join(file);
                if let Ok(url) = fs::read_to_string(&path) {
                    fs::write(&path, url.replace(name, &format!("@127.0.0.1:{port}"))).unwrap();
                }
            }
        }
        for job in ["backup", "restore"] {
            fs::write(self.0.join(job).join("PGHOST"), "127.0.0.1").unwrap();
            fs::write(self.0.join(job).join("PGPORT"), postgres.to_string()).unwrap();
        }
    }
}

/// Starts a Redis with the configuration of the component, and replaces its users by those of the manifests.
pub fn redis(secrets: &Secrets) -> RedisServer {
    redis_with(secrets, |_| {})
}

/// Starts a Redis as [`redis`] does, with options that `change` has changed.
pub fn redis_with(secrets: &Secrets, change: impl FnOnce(&mut RedisOptions)) -> RedisServer {
    let text = fs::read_to_string(project("k8s/components/redis/redis.conf")).unwrap();
    let shipped =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    // Paths of the container do not exist here, and the tests check access by users, not by addresses.
    let elsewhere = ["dir", "aclfile", "protected-mode"];
    let settings: Vec<_> = shipped
        .filter(|(name, _)| !elsewhere.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let redis = own_redis_with(|options| {
        options.users = vec![RedisUser {
            name: "default".to_owned(),
            password: ADMIN.to_owned(),
            rules: "~* &* +@all".to_owned(),
        }];
        options.settings = settings;
        change(options);
    });
    let acl = redis.command(&["CONFIG", "GET", "aclfile"]).unwrap();
    fs::write(acl.lines().last().unwrap(), secrets.read("redis-server/users.acl")).unwrap();
    redis.command(&["ACL", "LOAD"]).unwrap();
    redis
}

/// Starts a Postgres with the configuration of the component, and makes its roles and its database.
pub async fn postgres(secrets: &Secrets) -> PostgresServer {
    postgres_with(secrets, |_| {}).await
}

/// Starts a Postgres as [`postgres`] does, with options that `change` has changed.
pub async fn postgres_with(
    secrets: &Secrets,
    change: impl FnOnce(&mut PostgresOptions) + Send + 'static,
) -> PostgresServer {
    let text = fs::read_to_string(project("k8s/components/postgres/postgresql.conf")).unwrap();
    let shipped: Vec<(String, String)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| *name != "listen_addresses")
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect();
    assert!(shipped.len() > 5, "the configuration was read: {shipped:?}");
    let server = own_postgres_with(move |options| {
        options.settings = shipped;
        change(options);
    })
    .await;
    make_roles(&server, secrets);
    server
}

/// Runs the script that makes the roles: the container of Postgres runs it when its volume is empty.
pub fn make_roles(server: &PostgresServer, secrets: &Secrets) {
    make_roles_as(server, secrets, "postgres");
}

/// Runs that script as another role, whose password is that of the superuser, and returns what it prints.
pub fn make_roles_as(server: &PostgresServer, secrets: &Secrets, administrator: &str) -> String {
    let passwords = folder("passwords");
    for role in ["owner", "consumer", "dashboard", "host", "backup"] {
        fs::write(passwords.join(role), secrets.read(&format!("postgres-{role}/password")))
            .unwrap();
    }
    let mut script = Command::new("sh");
    script
        .arg(project("k8s/components/postgres/roles.sh"))
        .env("PASSWORDS", passwords)
        .env("ROLES_SQL", project("schema/access/roles.sql"))
        .envs([("PGHOST", "127.0.0.1"), ("PGUSER", administrator), ("PGPASSWORD", "test-password")])
        .env("PGPORT", server.port().to_string());
    let output = script.output().unwrap();
    assert!(output.status.success(), "{script:?}: {}", said(&output));
    said(&output)
}

/// Runs `votectl migrate` with the arguments of the migrate Job and the operator's secrets.
pub fn migrate(secrets: &Secrets) {
    succeeds(&mut migrate_command(secrets));
}

/// Returns the command that [`migrate`] runs.
pub fn migrate_command(secrets: &Secrets) -> Command {
    let job = fs::read_to_string(project("k8s/base/migrate/job.yaml")).unwrap();
    let line = job.lines().find_map(|line| line.trim().strip_prefix("args: [migrate,")).unwrap();
    let arguments: Vec<&str> = line.trim_end_matches(']').split(',').map(str::trim).collect();
    let mut command = votectl(secrets);
    command.arg("migrate").args(arguments);
    command
}

/// Returns the command `votectl` with the operator's secrets.
pub fn votectl(secrets: &Secrets) -> Command {
    let mut command = Command::new(binary("votectl"));
    command
        .env("REDIS_URL_FILE", secrets.0.join("operator/redis-url"))
        .env("DATABASE_URL_FILE", secrets.0.join("operator/database-url"));
    command
}

/// Returns the command of the Job `backup` or `restore`, with its dumps in `backups`.
pub fn backup_job(secrets: &Secrets, job: &str, backups: &Path) -> Command {
    let secrets = secrets.0.join(job).display().to_string();
    let scripts = project("k8s/components/backup").display().to_string();
    let text = script_of("backup/jobs.yaml", &format!("exec sh /scripts/{job}.sh"));
    let text = text.replace("/secrets", &secrets).replace("/scripts", &scripts);
    let mut command = Command::new("sh");
    command.args(["-ec", &text]).envs([("KEEP", "2"), ("DUMP", "")]).env("FOLDER", backups);
    command
}

/// Returns the shell commands of a Job's container in a file of `k8s/components`, up to the line `last`.
pub fn script_of(file: &str, last: &str) -> String {
    let text = fs::read_to_string(project("k8s/components").join(file)).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let end = lines.iter().position(|line| *line == last).expect("the last command");
    let start = lines[..end].iter().rposition(|line| *line == "- |").expect("the script's start");
    lines[start + 1..=end].join("\n")
}

/// Runs a command, checks that it succeeds, and returns its standard output.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns standard output and standard error of a command.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
