//! The whole pipeline, as `make up` runs it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{binary, folder, free_port};

/// `make up`, on free ports and a data folder of its own.
pub struct Pipeline {
    supervisor: Child,
    /// Where people vote.
    pub vote: String,
    /// Where they watch.
    pub results: String,
    /// Its data folder.
    pub data_dir: PathBuf,
}

impl Pipeline {
    /// Starts it, with further variables set, and waits until it says that it runs.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        for program in ["votectl", "producer", "consumer", "dashboard"] {
            let _ = binary(program);
        }
        let (vote_port, results_port) = (free_port(), free_port());
        let data_dir = folder("browser-pipeline").join("data");
        let mut supervisor = Command::new(binary("standalone"))
            .env("DATA_DIR", &data_dir)
            .env("VOTE_PORT", vote_port.to_string())
            .env("RESULTS_PORT", results_port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(supervisor.stdout.take().unwrap()).lines();
        let runs = lines.any(|line| line.unwrap().starts_with("running"));
        assert!(runs, "the supervisor ended before it ran");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            supervisor,
            vote: format!("http://localhost:{vote_port}/"),
            results: format!("http://localhost:{results_port}/"),
            data_dir,
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.supervisor), Signal::TERM);
        let _ = self.supervisor.wait();
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}
