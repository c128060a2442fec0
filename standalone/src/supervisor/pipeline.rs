//! All child processes: started after the processes that they depend on, stopped before them.

use std::{
    io::IsTerminal as _,
    process::Command,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::block_in_place,
};

use super::{
    addresses::{Addresses, is_reachable},
    config::{Config, Ports},
    data_dir::DataDir,
    database::{self, CONSUMER, DASHBOARD, HOST, OWNER},
    error::Error,
    log_watch::{LogWatch, SERVER_MARKS},
    observer::Observer,
    poll::DefaultPoll,
    redis_nodes,
    service::{ServiceChild, ServiceSpec, clean, program},
    stop_signals::StopSignals,
    supervised::{Child, Supervised},
    terminal::say,
};
use crate::servers::{
    self, PostgresOptions, PostgresServer, Process, RedisServer, Signal, postgres_home,
};

/// The organiser whom `make up` makes, for whoever sits at this machine.
const ORGANISER: &str = "organiser";
/// The secret with that organiser's token.
const ORGANISER_TOKEN: &str = "organiser-token";
/// The poll in which the canary votes; the services know its name (`schema/src/ids.rs`).
const CANARY_POLL: &str = "votestream-canary";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Longer than the grace period of the services themselves (SHUTDOWN_GRACE_MS, 10 s unless set).
const SERVICE_GRACE: Duration = Duration::from_secs(20);
const SERVER_GRACE: Duration = Duration::from_secs(60);
/// The time that each process has once the operator forces the stop.
const FORCED_GRACE: Duration = Duration::from_secs(2);

/// The child processes, with the settings and the folder that they are started from.
pub(super) struct Pipeline<'a> {
    config: &'a Config,
    data_dir: &'a DataDir,
    ports: Ports,
    addresses: Addresses,
    poll: DefaultPoll,
    redis: Vec<Supervised<RedisServer>>,
    postgres: Option<Supervised<PostgresServer>>,
    services: Vec<Supervised<ServiceChild>>,
    observers: Vec<(Supervised<Observer>, u16)>,
    log_watches: Vec<LogWatch>,
    /// The address that signs the organiser in once; empty before the services have started.
    host_link: String,
}

impl<'a> Pipeline<'a> {
    /// # Errors
    /// Returns an error if two settings contradict each other.
    pub(super) fn new(
        config: &'a Config,
        data_dir: &'a DataDir,
        ports: Ports,
    ) -> Result<Self, Error> {
        let addresses = Addresses::new(config, ports.vote, ports.results)?;
        let mut poll = DefaultPoll::new(&config.option_a, &config.option_b);
        if let Some(slug) = &config.default_poll {
            poll.slug.clone_from(slug);
        }
        let (redis, postgres) = (Vec::new(), None);
        let (services, observers, log_watches) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            config,
            data_dir,
            ports,
            addresses,
            poll,
            redis,
            postgres,
            services,
            observers,
            log_watches,
            host_link: String::new(),
        })
    }

    /// Starts all processes and waits until they are ready.
    ///
    /// # Errors
    /// Returns the error of the first process that does not start. Those started before it keep running.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        let canary = self.config.observe.then_some("canary");
        for name in
            ["votectl", "producer", "consumer", "dashboard", "host"].into_iter().chain(canary)
        {
            program(name)?;
        }
        // The servers, the database with its roles, its tables, and the default poll.
        self.start_servers().await?;
        let postgres = self.postgres();
        database::prepare(postgres, self.data_dir).await?;
        let mut operator = self.redis_environment("operator")?;
        operator.push(("DATABASE_URL", database::url_of(OWNER, postgres, self.data_dir)?));
        self.votectl(&self.migrate_arguments(), &operator)?;
        self.votectl(&self.poll_arguments(), &operator)?;
        if self.config.observe {
            self.votectl(&canary_poll_arguments(), &operator)?;
        }
        self.data_dir.secret("cookie-keys")?;
        self.data_dir.secret(ORGANISER_TOKEN)?;
        self.votectl(&self.organiser_arguments(), &operator)?;
        let address = format!("http://localhost:{}", self.ports.host);
        let link = ["organisers", "link", ORGANISER, "--url", &address].map(str::to_owned);
        let operator_login = operator.clone();
        let operator: Vec<_> = operator.iter().map(|(name, value)| (*name, &**value)).collect();
        self.data_dir.write_env(&operator)?;

        // The services start at the same time; then each is waited for.
        for spec in self.service_specs()? {
            self.services.push(Supervised::new(ServiceChild::start(spec, self.data_dir)?));
        }
        for service in &mut self.services {
            service.child.wait_ready(READY_WITHIN).await?;
        }
        // It is valid for some minutes only.
        self.host_link = self.votectl(&link, &operator_login)?.trim().to_owned();
        self.start_observers()
    }

    /// Starts Prometheus, Alertmanager and Grafana, if `OBSERVE` is set and they are installed.
    fn start_observers(&mut self) -> Result<(), Error> {
        let Some(ports) = self.ports.observers else { return Ok(()) };
        let folder = &self.config.grafana_dir;
        let prometheus = Observer::prometheus(ports, &self.ports, folder, self.data_dir)?;
        match prometheus {
            Some(prometheus) => {
                self.observers.push((Supervised::new(prometheus), ports.prometheus));
            }
            None => say(&format!(
                "Prometheus is not installed; install it with `bin/install observe`, or point one \
                 of your own at the metrics below, as {} shows",
                folder.join("prometheus/prometheus.yml").display()
            )),
        }
        match Observer::alertmanager(ports.alertmanager, folder, self.data_dir)? {
            Some(alertmanager) => {
                self.observers.push((Supervised::new(alertmanager), ports.alertmanager));
            }
            None => {
                say(
                    "Alertmanager is not installed, so nobody is notified of alerts; install it with \
                     `bin/install observe`",
                );
            }
        }
        match Observer::grafana(ports, folder, self.data_dir)? {
            Some(grafana) => self.observers.push((Supervised::new(grafana), ports.grafana)),
            None => say(&format!(
                "Grafana is not installed; {} describes how to connect one of your own to \
                 Prometheus and the dashboards",
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
                "Postgres runs as the user postgres, who cannot enter {}; its data are in {}",
                self.data_dir.root().display(),
                home.display()
            ));
        }
        // `make clean-data` reads the folder from this file.
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
        say(if is_new { "creating the database" } else { "opening the database" });
        let postgres = block_in_place(|| PostgresServer::start(postgres))?;
        self.postgres = Some(Supervised::new(postgres));
        // Lets `run` see a stop signal that has arrived meanwhile.
        tokio::task::yield_now().await;
        let mut names = vec!["postgres".to_owned()];
        for node in nodes {
            names.push(node.name.clone());
            self.redis.push(Supervised::new(block_in_place(|| RedisServer::start(node))?));
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

    /// Returns the variables with which a service logs in to Redis as this user.
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

    /// Runs votectl with these arguments, and returns what it prints.
    fn votectl(
        &self,
        arguments: &[String],
        environment: &[(&'static str, String)],
    ) -> Result<String, Error> {
        let mut command = Command::new(program("votectl")?);
        let environment = environment.iter().map(|(name, value)| (name, value));
        clean(&mut command).args(arguments).envs(environment);
        let output =
            block_in_place(|| command.output()).map_err(servers::Error::io("run votectl"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::CommandFailed {
            command: format!("votectl {}", arguments.join(" ")),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn migrate_arguments(&self) -> Vec<String> {
        let partitions = self.config.partitions.map(|number| format!("--partitions={number}"));
        let grants = [
            format!("--grant-consumer={CONSUMER}"),
            format!("--grant-dashboard={DASHBOARD}"),
            format!("--grant-host={HOST}"),
        ];
        ["migrate".to_owned()].into_iter().chain(partitions).chain(grants).collect()
    }

    /// Returns the arguments that add the organiser of this machine, with a token that the data folder keeps.
    fn organiser_arguments(&self) -> Vec<String> {
        let token = self.data_dir.secret_path(ORGANISER_TOKEN).display().to_string();
        let words = ["organisers", "add", ORGANISER, "--role", "admin", "--if-missing"];
        let token = ["--token-file".to_owned(), token];
        words.into_iter().map(str::to_owned).chain(token).collect()
    }

    fn poll_arguments(&self) -> Vec<String> {
        let DefaultPoll { slug, title, options: [a, b] } = &self.poll;
        let words =
            ["poll", "create", "--slug", slug, "--title", title, "--option", a, "--option", b];
        words.into_iter().chain(["--open", "--if-missing"]).map(str::to_owned).collect()
    }

    /// Returns the program, the port and the environment of each service.
    fn service_specs(&self) -> Result<Vec<ServiceSpec>, Error> {
        let postgres = self.postgres();
        // Each service has these variables, and then its own.
        let common = |admin_port: u16| {
            vec![
                ("ADMIN_ADDR", format!("127.0.0.1:{admin_port}")),
                ("LOG_LEVEL", self.config.log_level.clone()),
                ("NO_COLOR", "1".to_owned()),
            ]
        };
        let Ports {
            vote, results, host, producer_metrics, dashboard_metrics, host_metrics, ..
        } = self.ports;

        let mut producer = common(producer_metrics);
        producer.extend(self.redis_environment("producer")?);
        producer.extend(redis_nodes::durability(&self.redis()));
        producer.extend([
            ("LISTEN_ADDR", format!("0.0.0.0:{vote}")),
            ("COOKIE_KEYS_FILE", self.data_dir.secret_path("cookie-keys").display().to_string()),
            ("DEFAULT_POLL", self.poll.slug.clone()),
            ("BASE_PATH", Addresses::base_path(&self.addresses.vote)),
            ("RESULTS_URL", self.addresses.results.clone()),
        ]);
        let mut dashboard = common(dashboard_metrics);
        dashboard.extend([
            ("DATABASE_URL", database::url_of(DASHBOARD, postgres, self.data_dir)?),
            ("LISTEN_ADDR", format!("0.0.0.0:{results}")),
            ("DEFAULT_POLL", self.poll.slug.clone()),
            ("BASE_PATH", Addresses::base_path(&self.addresses.results)),
            ("VOTE_URL", self.addresses.vote.clone()),
            ("RESULTS_URL", self.addresses.results.clone()),
        ]);
        // Tokens cross no network: the pages of organisers are for this machine, or for a proxy on it that speaks TLS.
        let mut host_environment = common(host_metrics);
        host_environment.extend(self.redis_environment("host")?);
        host_environment.extend([
            ("DATABASE_URL", database::url_of(HOST, postgres, self.data_dir)?),
            ("LISTEN_ADDR", format!("127.0.0.1:{host}")),
            ("BASE_PATH", String::new()),
            ("VOTE_URL", self.addresses.vote.clone()),
            ("RESULTS_URL", self.addresses.results.clone()),
        ]);
        let signing_keys = self.data_dir.signing_key()?.display().to_string();
        producer.push(("SIGNING_KEYS_FILE", signing_keys.clone()));
        let database_url = database::url_of(CONSUMER, postgres, self.data_dir)?;
        let consumer_redis = self.redis_environment("consumer")?;
        let consumers = self.ports.consumer_metrics.iter().zip(1..).map(|(port, number)| {
            let mut environment = common(*port);
            environment.extend(consumer_redis.clone());
            environment.push(("DATABASE_URL", database_url.clone()));
            environment.push(("SIGNING_KEYS_FILE", signing_keys.clone()));
            spec(&format!("consumer-{number}"), "consumer", *port, environment)
        });
        let mut specs = vec![
            spec("producer", "producer", producer_metrics, producer),
            spec("dashboard", "dashboard", dashboard_metrics, dashboard),
        ];
        specs.extend(consumers);
        specs.push(spec("host", "host", host_metrics, host_environment));
        if let Some(port) = self.ports.canary_metrics {
            let mut canary = common(port);
            canary.extend([
                ("PRODUCER_URL", format!("http://127.0.0.1:{vote}")),
                ("DASHBOARD_URL", format!("http://127.0.0.1:{results}")),
                ("CANARY_POLL", CANARY_POLL.to_owned()),
            ]);
            specs.push(spec("canary", "canary", port, canary));
        }
        Ok(specs)
    }

    /// Prints the addresses of the pages, the metrics and the data.
    pub(super) fn announce(&mut self) {
        let Ports { vote, results, .. } = self.ports;
        say("");
        for (name, address, port) in
            [("vote", &self.addresses.vote, vote), ("results", &self.addresses.results, results)]
        {
            let (address, here) =
                (address.trim_end_matches('/'), format!("http://localhost:{port}"));
            match address == here {
                true => say(&format!("  {name:10} {address}")),
                false => say(&format!("  {name:10} {address}   (on this machine: {here})")),
            }
            if !is_reachable(address) {
                say(&format!(
                    "             nothing answers at {address}; set PUBLIC_URL and RESULTS_URL to the \
                     addresses that people use"
                ));
            }
        }
        say(&format!("  organise   {}", self.host_link));
        say(&format!(
            "             (signs in once, within 15 minutes; later with the token in {})",
            self.data_dir.secret_path(ORGANISER_TOKEN).display()
        ));
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
        // Only people have telephones: a log file gets no picture.
        if let Some(code) = self.addresses.qr_code().filter(|_| std::io::stdout().is_terminal()) {
            say(&code);
            say("");
        }
        say("running; Ctrl-C stops everything and keeps the votes");
    }

    /// Restarts child processes that end. Returns only with an error.
    pub(super) async fn keep_running(&mut self) -> Result<(), Error> {
        let mut deaths = signal(SignalKind::child())
            .map_err(servers::Error::io("listen for the children's ends"))?;
        loop {
            let next_restart = block_in_place(|| self.restart_ended());
            let pause = next_restart.map(|due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                _ = deaths.recv() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Restarts the children whose restart is due, and returns the time of the next restart.
    fn restart_ended(&mut self) -> Option<Instant> {
        let redis = self.redis.iter_mut().map(Supervised::restart_if_ended);
        let postgres = self.postgres.iter_mut().map(Supervised::restart_if_ended);
        let services = self.services.iter_mut().map(Supervised::restart_if_ended);
        let observers = self.observers.iter_mut().map(|(observer, _)| observer.restart_if_ended());
        redis.chain(postgres).chain(services).chain(observers).flatten().min()
    }

    /// Stops all processes: the canary, the host's service, the producer, then the dashboard, then the consumers, then the servers. A second stop signal
    /// shortens the time that each of them has.
    pub(super) async fn stop(&mut self, stop_signals: &mut StopSignals) {
        let mut force_stop = false;
        let observers = self.observers.iter_mut().map(|(observer, _)| observer.child.process());
        let mut observers: Vec<&mut Process> = observers.collect();
        observers.iter_mut().for_each(|process| process.signal(Signal::TERM));
        wait_all(&mut observers, SERVICE_GRACE, &mut force_stop, stop_signals).await;
        self.observers.clear();
        for program in ["canary", "host", "producer", "dashboard", "consumer"] {
            let services = self.services.iter_mut().map(|service| &mut service.child);
            let services = services.filter(|service| service.program() == program);
            let mut processes: Vec<&mut Process> = services.map(Child::process).collect();
            processes.iter_mut().for_each(|process| process.signal(Signal::TERM));
            wait_all(&mut processes, SERVICE_GRACE, &mut force_stop, stop_signals).await;
        }
        self.services.clear();
        // Servers log messages about their own shutdown, which the terminal need not show.
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
        wait_all(&mut servers, SERVER_GRACE, &mut force_stop, stop_signals).await;
        self.redis.clear();
        self.postgres = None;
    }
}

/// Returns the path of votectl for a shell.
fn votectl_path() -> String {
    program("votectl").map_or_else(|_| "votectl".to_owned(), |path| path.display().to_string())
}

/// Returns the arguments that create the canary's poll: one voter changes its vote there again and again.
fn canary_poll_arguments() -> Vec<String> {
    let title = "A machine votes here, to see whether voting works";
    let words = ["poll", "create", "--slug", CANARY_POLL, "--title", title];
    let options = ["--option", "tick=Tick", "--option", "tock=Tock", "--vote-policy", "replace"];
    // It changes its vote for ever, so its log would grow for ever.
    let ends = ["--no-receipts", "--open", "--if-missing"];
    words.into_iter().chain(options).chain(ends).map(str::to_owned).collect()
}

fn spec(
    name: &str,
    program: &'static str,
    admin_port: u16,
    environment: Vec<(&'static str, String)>,
) -> ServiceSpec {
    ServiceSpec { name: name.to_owned(), program, admin_port, environment }
}

/// Waits until all processes have ended, and kills those that have not when `grace` is over.
async fn wait_all(
    processes: &mut [&mut Process],
    grace: Duration,
    force_stop: &mut bool,
    stop_signals: &mut StopSignals,
) {
    let asked = Instant::now();
    while processes.iter_mut().any(|process| process.is_running()) {
        let grace = if *force_stop { FORCED_GRACE } else { grace };
        if asked.elapsed() >= grace {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
            () = stop_signals.next() => *force_stop = true,
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
