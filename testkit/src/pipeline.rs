//! The whole pipeline, started by the supervisor that `make up` runs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use standalone::servers::free_port;

use crate::binaries::binary;
use crate::home::folder;

/// A running pipeline on free ports, with a data folder of its own. Dropping the value stops it in order.
#[derive(Debug)]
pub struct Pipeline {
    supervisor: Child,
    /// The address of the voting page, such as `http://localhost:15001/`.
    pub vote: String,
    /// The address of the results page.
    pub results: String,
    /// The address of the organisers' pages.
    pub organisers: String,
    /// The supervisor's data folder, with logs, pid files and the file `env`.
    pub data_dir: PathBuf,
}

impl Pipeline {
    /// Starts the supervisor with these variables added to the environment, and waits until it prints that the
    /// pipeline runs.
    ///
    /// # Panics
    /// Panics if a program does not build, or the supervisor ends before the pipeline runs.
    #[must_use]
    pub fn start(variables: &[(&str, &str)]) -> Self {
        for program in ["votectl", "producer", "consumer", "dashboard", "host", "canary"] {
            let _ = binary(program);
        }
        let (vote_port, results_port, host_port) = (free_port(), free_port(), free_port());
        let data_dir = folder("pipeline").join("data");
        let mut supervisor = Command::new(binary("standalone"))
            .env("DATA_DIR", &data_dir)
            .env("VOTE_PORT", vote_port.to_string())
            .env("RESULTS_PORT", results_port.to_string())
            .env("HOST_PORT", host_port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the supervisor can be started");
        let output = supervisor.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("running")), "the supervisor ended too early");
        // A supervisor whose output nobody reads would stand still once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            supervisor,
            vote: format!("http://localhost:{vote_port}/"),
            results: format!("http://localhost:{results_port}/"),
            organisers: format!("http://localhost:{host_port}/"),
            data_dir,
        }
    }

    /// Returns the value of a variable in the file `env`, such as `DATABASE_URL` for the operator.
    ///
    /// # Panics
    /// Panics if the file does not have the variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        let file = self.data_dir.join("env");
        let text = std::fs::read_to_string(&file).expect("the supervisor has written the file");
        let value =
            text.split_once(&format!("{name}='")).and_then(|(_, rest)| rest.split_once('\''));
        value.unwrap_or_else(|| panic!("{} has no {name}", file.display())).0.to_owned()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.supervisor), Signal::TERM);
        let _ = self.supervisor.wait();
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}
