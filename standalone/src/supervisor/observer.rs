//! Prometheus, Alertmanager and Grafana beside the pipeline, where they are installed (`OBSERVE=1`).
//!
//! Prometheus scrapes the services and evaluates the rules in `grafana/`, Alertmanager groups the alerts, and Grafana reads
//! the dashboards there. No service depends on any of them. If one is not installed, the supervisor prints a line; if one
//! dies, it is restarted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::config::{ObserverPorts, Ports};
use super::data_dir::DataDir;
use super::error::Error;
use super::supervised::Child;
use crate::servers::{self, Process};

/// The folder in which Grafana's packages install files that it needs at run time.
const GRAFANA_HOME: &str = "/usr/share/grafana";

/// A running Prometheus, Alertmanager or Grafana, and the command that started it.
#[derive(Debug)]
pub(super) struct Observer {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    run: PathBuf,
    log: PathBuf,
    process: Process,
}

impl Observer {
    /// Starts Prometheus, to scrape the services; it also serves the runbooks. Returns `None` if it is not installed.
    pub(super) fn prometheus(
        observers: ObserverPorts,
        ports: &Ports,
        grafana_dir: &Path,
        data_dir: &DataDir,
    ) -> Result<Option<Self>, Error> {
        let Some(program) = found("prometheus") else { return Ok(None) };
        let rules = absolute(&grafana_dir.join("prometheus/rules"))?.join("*.yml");
        let config = data_dir.run().join("prometheus.yml");
        write(&config, &configuration(observers, ports, &rules))?;
        let data = data_dir.root().join("prometheus");
        let arguments = vec![
            format!("--config.file={}", absolute(&config)?.display()),
            format!(
                "--storage.tsdb.path={}",
                absolute(data_dir.root())?.join("prometheus").display()
            ),
            "--storage.tsdb.retention.time=40d".to_owned(),
            format!("--web.listen-address=127.0.0.1:{}", observers.prometheus),
            // Prometheus serves the files of this folder below /consoles.
            format!(
                "--web.console.templates={}",
                absolute(&grafana_dir.join("runbooks"))?.display()
            ),
            "--log.level=warn".to_owned(),
        ];
        make_folder(&data)?;
        Self::start("prometheus", program, arguments, Vec::new(), data_dir).map(Some)
    }

    /// Starts Alertmanager with the configuration in `grafana/`. Returns `None` if it is not installed.
    pub(super) fn alertmanager(
        port: u16,
        grafana_dir: &Path,
        data_dir: &DataDir,
    ) -> Result<Option<Self>, Error> {
        // Debian's name for the program, and that of its authors.
        let program = found("prometheus-alertmanager").or_else(|| found("alertmanager"));
        let Some(program) = program else { return Ok(None) };
        let data = data_dir.root().join("alertmanager");
        make_folder(&data)?;
        let config = absolute(&grafana_dir.join("alertmanager/alertmanager.yml"))?;
        let arguments = vec![
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", absolute(&data)?.display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // One Alertmanager needs no port for others.
            "--cluster.listen-address=".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        Self::start("alertmanager", program, arguments, Vec::new(), data_dir).map(Some)
    }

    /// Starts Grafana, to query Prometheus. Returns `None` if it is not installed.
    pub(super) fn grafana(
        ports: ObserverPorts,
        grafana_dir: &Path,
        data_dir: &DataDir,
    ) -> Result<Option<Self>, Error> {
        let Some(program) = found("grafana-server") else { return Ok(None) };
        let data = data_dir.root().join("grafana");
        make_folder(&data)?;
        let path = |path: &Path| absolute(path).map(|path| path.display().to_string());
        let environment = vec![
            ("GF_PATHS_PROVISIONING", path(&grafana_dir.join("provisioning"))?),
            ("GF_PATHS_DATA", path(&data)?),
            ("GF_PATHS_LOGS", path(&data)?),
            ("GF_SERVER_HTTP_ADDR", "127.0.0.1".to_owned()),
            ("GF_SERVER_HTTP_PORT", ports.grafana.to_string()),
            // Grafana listens on loopback only, and everybody on this machine may see the dashboards.
            ("GF_AUTH_ANONYMOUS_ENABLED", "true".to_owned()),
            ("PROMETHEUS_URL", format!("http://127.0.0.1:{}", ports.prometheus)),
            ("VOTESTREAM_DASHBOARDS", path(&grafana_dir.join("dashboards"))?),
        ];
        let arguments = vec![format!("--homepath={GRAFANA_HOME}")];
        Self::start("grafana", program, arguments, environment, data_dir).map(Some)
    }

    fn start(
        name: &'static str,
        program: PathBuf,
        arguments: Vec<String>,
        environment: Vec<(&'static str, String)>,
        data_dir: &DataDir,
    ) -> Result<Self, Error> {
        let (run, log) = (data_dir.run(), data_dir.log().join(format!("{name}.log")));
        let process = spawn(name, &program, &arguments, &environment, &run, &log)?;
        Ok(Self { name, program, arguments, environment, run, log, process })
    }
}

impl Child for Observer {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.process.kill();
        let Self { name, program, arguments, environment, run, log, .. } = self;
        self.process = spawn(name, program, arguments, environment, run, log)?;
        Ok(())
    }
}

fn spawn(
    name: &str,
    program: &Path,
    arguments: &[String],
    environment: &[(&'static str, String)],
    run: &Path,
    log: &Path,
) -> Result<Process, Error> {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    Ok(Process::spawn(name, command, run, log, &run.join(format!("{name}.pid")))?)
}

/// Returns the configuration of Prometheus: that of grafana/prometheus/prometheus.yml with the ports of this pipeline.
fn configuration(observers: ObserverPorts, ports: &Ports, rules: &Path) -> String {
    let ObserverPorts { prometheus, alertmanager, grafana } = observers;
    let job = |name: &str, ports: &[u16]| {
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let targets = targets.join(", ");
        format!(
            "  - job_name: {name}\n    static_configs:\n      - targets: [{targets}]\n        \
             labels: {{deployment: votestream}}\n"
        )
    };
    [
        "global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n".to_owned(),
        // Where a browser on this machine reads runbooks and dashboards; alerts lead there.
        format!("  external_labels:\n    runbooks: http://localhost:{prometheus}/consoles\n"),
        format!("    grafana: http://localhost:{grafana}\n"),
        "alerting:\n  alertmanagers:\n    - static_configs:\n".to_owned(),
        format!("        - targets: [127.0.0.1:{alertmanager}]\n"),
        format!("rule_files:\n  - '{}'\n", rules.display()),
        "scrape_configs:\n".to_owned(),
        job("producer", &[ports.producer_metrics]),
        job("dashboard", &[ports.dashboard_metrics]),
        job("consumer", &ports.consumer_metrics),
        job("host", &[ports.host_metrics]),
        ports.canary_metrics.map(|port| job("canary", &[port])).unwrap_or_default(),
        job("prometheus", &[prometheus]),
    ]
    .concat()
}

/// Returns the path of a program in `PATH`.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let error = servers::Error::io(format!("find {}", path.display()));
    Ok(std::path::absolute(path).map_err(error)?)
}

fn make_folder(path: &Path) -> Result<(), Error> {
    let error = servers::Error::io(format!("make the folder {}", path.display()));
    Ok(fs::create_dir_all(path).map_err(error)?)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    Ok(fs::write(path, text).map_err(servers::Error::io(format!("write {}", path.display())))?)
}
