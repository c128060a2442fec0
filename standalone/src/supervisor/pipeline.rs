//! All the children: started in the order of their needs, stopped in the reverse.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::block_in_place,
};

use super::{
    Config, DataDir, Error,
    config::Ports,
    database::{self, CONSUMER, DASHBOARD, OWNER},
    log_watch::{LogWatch, SERVER_MARKS},
    observer::Observer,
    poll::DefaultPoll,
    redis_nodes, say,
    service::{Service, ServiceSpec, clean, program},
    stop_signals::StopSignals,
    watched::{Child, Watched},
};
use crate::servers::{
    self, PostgresOptions, PostgresServer, Process, RedisServer, Signal, postgres_home,
};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Above the services' own grace period (SHUTDOWN_GRACE_MS, 10 s unless set).
const SERVICE_GRACE: Duration = Duration::from_secs(20);
const SERVER_GRACE: Duration = Duration::from_secs(60);
/// What is left to each once somebody is in a hurry.
const HURRY_GRACE: Duration = Duration::from_secs(2);

/// The children, and what they are started from.
pub(super) struct Pipeline<'a> {
    config: &'a Config,
    data_dir: &'a DataDir,
    ports: Ports,
    poll: DefaultPoll,
    redis: Vec<Watched<RedisServer>>,
    postgres: Option<Watched<PostgresServer>>,
    services: Vec<Watched<Service>>,
    observers: Vec<(Watched<Observer>, u16)>,
    log_watches: Vec<LogWatch>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(config: &'a Config, data_dir: &'a DataDir, ports: Ports) -> Self {
        let poll = DefaultPoll::new(&config.option_a, &config.option_b);
        let (redis, postgres) = (Vec::new(), None);
        let (services, observers, log_watches) = (Vec::new(), Vec::new(), Vec::new());
        Self { config, data_dir, ports, poll, redis, postgres, services, observers, log_watches }
    }

    /// Starts everything and waits until everything is ready.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        for name in ["votectl", "producer", "consumer", "dashboard"] {
            program(name)?;
        }
        self.start_servers().await?;
        let postgres = self.postgres();
        database::prepare(postgres, self.data_dir).await?;
        let mut operator = self.redis_environment("operator")?;
        operator.push(("DATABASE_URL", database::url_of(OWNER, postgres, self.data_dir)?));
        self.votectl(&self.migrate_arguments(), &operator)?;
        self.votectl(&self.poll_arguments(), &operator)?;
        self.data_dir.secret("cookie-keys")?;
        let operator: Vec<_> = operator.iter().map(|(name, value)| (*name, &**value)).collect();
        self.data_dir.write_env(&operator)?;

        for spec in self.service_specs()? {
            self.services.push(Watched::new(Service::start(spec, self.data_dir)?));
        }
        for service in &mut self.services {
            service.child.wait_ready(READY_WITHIN).await?;
        }
        self.start_observers()
    }

    /// Prometheus and Grafana, where they are wanted and found.
    fn start_observers(&mut self) -> Result<(), Error> {
        let Some((prometheus_port, grafana_port)) = self.ports.observers else { return Ok(()) };
        let folder = &self.config.grafana_dir;
        let prometheus = Observer::prometheus(prometheus_port, &self.ports, folder, self.data_dir)?;
        match prometheus {
            Some(prometheus) => {
                self.observers.push((Watched::new(prometheus), prometheus_port));
            }
            None => say(&format!(
                "Prometheus is not installed (`bin/install observe` does it): point one at the \
                 metrics below, as {} shows",
                folder.join("prometheus/prometheus.yml").display()
            )),
        }
        let grafana = Observer::grafana(grafana_port, prometheus_port, folder, self.data_dir)?;
        match grafana {
            Some(grafana) => self.observers.push((Watched::new(grafana), grafana_port)),
            None => say(&format!(
                "there is no grafana-server here: {} says how to point one at Prometheus and the \
                 dashboards",
                folder.join("README.md").display()
            )),
        }
        Ok(())
    }

    async fn start_servers(&mut self) -> Result<(), Error> {
        let nodes = redis_nodes::options(self.data_dir, self.config)?;
        let home = postgres_home(self.data_dir.root())?;
        if !home.starts_with(self.data_dir.root()) {
            say(&format!(
                "Postgres runs as another user, who cannot enter {}: its data are in {}",
                self.data_dir.root().display(),
                home.display()
            ));
        }
        // For `make clean-data`.
        let note = self.data_dir.run().join("postgres.home");
        std::fs::write(&note, home.as_os_str().as_encoded_bytes())
            .map_err(servers::Error::io(format!("write {}", note.display())))?;
        let is_new = !home.join("data").exists();
        let postgres = PostgresOptions {
            log: self.data_dir.log(),
            run: self.data_dir.run(),
            port: Some(self.data_dir.port_of("postgres")?),
            ..PostgresOptions::new("postgres", home, &self.data_dir.secret("postgres-superuser")?)
        };
        say(if is_new { "making the database" } else { "opening the database" });
        let postgres = block_in_place(|| PostgresServer::start(postgres))?;
        self.postgres = Some(Watched::new(postgres));
        // A stop that was asked for meanwhile is heard here.
        tokio::task::yield_now().await;
        let mut names = vec!["postgres".to_owned()];
        for node in nodes {
            names.push(node.name.clone());
            self.redis.push(Watched::new(block_in_place(|| RedisServer::start(node))?));
            tokio::task::yield_now().await;
        }
        redis_nodes::form(&self.redis())?;
        for name in names {
            let log = self.data_dir.log().join(format!("{name}.log"));
            self.log_watches.push(LogWatch::start(&name, log, SERVER_MARKS));
        }
        Ok(())
    }

    fn redis(&self) -> Vec<&RedisServer> {
        self.redis.iter().map(|node| &node.child).collect()
    }

    /// How this user reaches Redis.
    fn redis_environment(&self, user: &str) -> Result<Vec<(&'static str, String)>, Error> {
        let users = redis_nodes::users(self.data_dir)?;
        let user = users.iter().find(|one| one.name == user);
        let user = user.expect("every service that uses Redis is a user of it");
        Ok(redis_nodes::environment(&self.redis(), user))
    }

    fn postgres(&self) -> &PostgresServer {
        let started = "the servers are started before anything that uses them";
        &self.postgres.as_ref().expect(started).child
    }

    fn votectl(
        &self,
        arguments: &[String],
        environment: &[(&'static str, String)],
    ) -> Result<(), Error> {
        let mut command = Command::new(program("votectl")?);
        let environment = environment.iter().map(|(name, value)| (name, value));
        clean(&mut command).args(arguments).envs(environment);
        let output =
            block_in_place(|| command.output()).map_err(servers::Error::io("run votectl"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::CommandFailed {
            command: format!("votectl {}", arguments.join(" ")),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn migrate_arguments(&self) -> Vec<String> {
        let partitions = self.config.partitions.map(|number| format!("--partitions={number}"));
        let grants =
            [format!("--grant-consumer={CONSUMER}"), format!("--grant-dashboard={DASHBOARD}")];
        ["migrate".to_owned()].into_iter().chain(partitions).chain(grants).collect()
    }

    fn poll_arguments(&self) -> Vec<String> {
        let DefaultPoll { slug, title, options: [a, b] } = &self.poll;
        let words =
            ["poll", "create", "--slug", slug, "--title", title, "--option", a, "--option", b];
        words.into_iter().chain(["--open", "--if-missing"]).map(str::to_owned).collect()
    }

    fn service_specs(&self) -> Result<Vec<ServiceSpec>, Error> {
        let postgres = self.postgres();
        let common = |admin_port: u16| {
            vec![
                ("ADMIN_ADDR", format!("127.0.0.1:{admin_port}")),
                ("LOG_LEVEL", self.config.log_level.clone()),
                ("NO_COLOR", "1".to_owned()),
            ]
        };
        let Ports { vote, results, producer_metrics, dashboard_metrics, .. } = self.ports;

        let mut producer = common(producer_metrics);
        producer.extend(self.redis_environment("producer")?);
        producer.extend(redis_nodes::durability(&self.redis()));
        producer.extend([
            ("LISTEN_ADDR", format!("0.0.0.0:{vote}")),
            ("COOKIE_KEYS_FILE", self.data_dir.secret_path("cookie-keys").display().to_string()),
            ("DEFAULT_POLL", self.poll.slug.clone()),
            ("RESULTS_URL", format!("http://localhost:{results}/")),
        ]);
        let mut dashboard = common(dashboard_metrics);
        dashboard.extend([
            ("DATABASE_URL", database::url_of(DASHBOARD, postgres, self.data_dir)?),
            ("LISTEN_ADDR", format!("0.0.0.0:{results}")),
            ("DEFAULT_POLL", self.poll.slug.clone()),
            ("VOTE_URL", format!("http://localhost:{vote}/")),
        ]);
        let database_url = database::url_of(CONSUMER, postgres, self.data_dir)?;
        let consumer_redis = self.redis_environment("consumer")?;
        let consumers = self.ports.consumer_metrics.iter().zip(1..).map(|(port, number)| {
            let mut environment = common(*port);
            environment.extend(consumer_redis.clone());
            environment.push(("DATABASE_URL", database_url.clone()));
            spec(&format!("consumer-{number}"), "consumer", *port, environment)
        });
        let mut specs = vec![
            spec("producer", "producer", producer_metrics, producer),
            spec("dashboard", "dashboard", dashboard_metrics, dashboard),
        ];
        specs.extend(consumers);
        Ok(specs)
    }

    /// Tells where everything is.
    pub(super) fn announce(&mut self) {
        let Ports { vote, results, .. } = self.ports;
        say("");
        say(&format!("  vote       http://localhost:{vote}"));
        say(&format!("  results    http://localhost:{results}"));
        for service in &self.services {
            let (name, port) = (service.child.name(), service.child.admin_port());
            say(&format!("  metrics    http://localhost:{port}/metrics   ({name})"));
        }
        for (observer, port) in &mut self.observers {
            let name = observer.child.process().name().to_owned();
            say(&format!("  {name:10} http://localhost:{port}"));
        }
        say(&format!("  data       {}", self.data_dir.root().display()));
        say(&format!("  votectl    . {}; {}", self.data_dir.env_path().display(), votectl_path()));
        say("");
        say("running; Ctrl-C stops everything and keeps the votes");
    }

    /// Starts again whatever dies. Returns only with an error.
    pub(super) async fn keep_running(&mut self) -> Result<(), Error> {
        let mut deaths = signal(SignalKind::child())
            .map_err(servers::Error::io("listen for the children's ends"))?;
        loop {
            let next_restart = block_in_place(|| self.look_after_children());
            let pause = next_restart.map(|due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                _ = deaths.recv() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Starts again those that are due, and returns when the next one is.
    fn look_after_children(&mut self) -> Option<Instant> {
        let redis = self.redis.iter_mut().map(Watched::look_after);
        let postgres = self.postgres.iter_mut().map(Watched::look_after);
        let services = self.services.iter_mut().map(Watched::look_after);
        let observers = self.observers.iter_mut().map(|(observer, _)| observer.look_after());
        redis.chain(postgres).chain(services).chain(observers).flatten().min()
    }

    /// Stops everything: intake, then readers, then servers. A second signal hurries.
    pub(super) async fn stop(&mut self, stop_signals: &mut StopSignals) {
        let mut hurry = false;
        let observers = self.observers.iter_mut().map(|(observer, _)| observer.child.process());
        let mut observers: Vec<&mut Process> = observers.collect();
        observers.iter_mut().for_each(|process| process.signal(Signal::TERM));
        wait_all(&mut observers, SERVICE_GRACE, &mut hurry, stop_signals).await;
        self.observers.clear();
        for program in ["producer", "dashboard", "consumer"] {
            let services = self.services.iter_mut().map(|service| &mut service.child);
            let services = services.filter(|service| service.program() == program);
            let mut processes: Vec<&mut Process> = services.map(Child::process).collect();
            processes.iter_mut().for_each(|process| process.signal(Signal::TERM));
            wait_all(&mut processes, SERVICE_GRACE, &mut hurry, stop_signals).await;
        }
        self.services.clear();
        // What the servers say when they are told to stop is no news.
        self.log_watches.clear();
        let mut servers: Vec<&mut Process> = Vec::new();
        for node in &mut self.redis {
            node.child.process().signal(Signal::TERM);
            servers.push(node.child.process());
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.child.process().signal(Signal::INT);
            servers.push(postgres.child.process());
        }
        wait_all(&mut servers, SERVER_GRACE, &mut hurry, stop_signals).await;
        self.redis.clear();
        self.postgres = None;
    }
}

/// How to call votectl from the shell that `make up` was called from.
fn votectl_path() -> String {
    program("votectl").map_or_else(|_| "votectl".to_owned(), |path| path.display().to_string())
}

fn spec(
    name: &str,
    program: &'static str,
    admin_port: u16,
    environment: Vec<(&'static str, String)>,
) -> ServiceSpec {
    ServiceSpec { name: name.to_owned(), program, admin_port, environment }
}

/// Waits for all of them; those that outlast their grace are killed.
async fn wait_all(
    processes: &mut [&mut Process],
    grace: Duration,
    hurry: &mut bool,
    stop_signals: &mut StopSignals,
) {
    let asked = Instant::now();
    while processes.iter_mut().any(|process| process.is_running()) {
        let grace = if *hurry { HURRY_GRACE } else { grace };
        if asked.elapsed() >= grace {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
            () = stop_signals.next() => *hurry = true,
        }
    }
    for process in processes {
        let how = match process.exit_status() {
            Some(status) if status.success() => "stopped".to_owned(),
            Some(status) => format!("ended with {status}"),
            None => "did not stop in time and was killed".to_owned(),
        };
        process.kill();
        say(&format!("  {} {how}", process.name()));
    }
}
