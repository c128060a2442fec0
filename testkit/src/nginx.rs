//! nginx for tests: a reverse proxy with the configuration that docs/PROXIES.md shows.

use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use standalone::servers::{Process, free_port};

use crate::folder;

/// The page whose first block is the configuration.
const RECIPE: &str = include_str!("../../docs/PROXIES.md");
/// The longest time until it accepts connections.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running nginx. Dropping the value ends it.
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    port: u16,
}

impl Nginx {
    /// Starts nginx with the configuration of docs/PROXIES.md, in front of a producer at `vote` (below `/vote/`) and a
    /// dashboard at `results` (below `/results/`). It listens at one port of 127.0.0.1 and ::1.
    ///
    /// # Panics
    /// Panics if nginx is not installed or does not start, or if the page has no configuration.
    #[must_use]
    pub fn start(vote: SocketAddr, results: SocketAddr) -> Self {
        let (folder, port) = (folder("nginx"), free_port());
        let recipe = RECIPE.split("```nginx\n").nth(1).and_then(|text| text.split("```").next());
        let mut server = recipe.expect("docs/PROXIES.md shows a configuration").to_owned();
        for (shown, ours) in [
            ("listen 80;", format!("listen 127.0.0.1:{port};")),
            ("listen [::]:80;", format!("listen [::1]:{port};")),
            ("http://127.0.0.1:8080;", format!("http://{vote};")),
            ("http://127.0.0.1:8081;", format!("http://{results};")),
        ] {
            assert!(server.contains(shown), "docs/PROXIES.md has no `{shown}`");
            server = server.replace(shown, &ours);
        }
        let place = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|what| format!("{what}_temp_path {place}/{what};\n"));
        let config = format!(
            "daemon off;\nmaster_process off;\npid {place}/nginx.pid;\nerror_log stderr;\n\
             events {{ worker_connections 256; }}\nhttp {{\naccess_log off;\n{}{server}}}\n",
            temporary.concat()
        );
        let config_file = folder.join("nginx.conf");
        std::fs::write(&config_file, config).expect("the folder is ours");

        // The package puts the program where only root looks for programs.
        let installed = Path::new("/usr/sbin/nginx");
        let mut command =
            Command::new(if installed.exists() { installed } else { Path::new("nginx") });
        command.args(["-e", "stderr", "-c"]).arg(&config_file);
        let (log, pid_file) = (folder.join("nginx.log"), folder.join("process.pid"));
        let started = Process::spawn("nginx", command, &folder, &log, &pid_file);
        let mut process = started.unwrap_or_else(|error| panic!("{error}"));
        let accepts = || TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok();
        process.wait_ready(READY_WITHIN, accepts).unwrap_or_else(|error| panic!("{error}"));
        Self { _process: process, port }
    }

    /// Its address of IPv4.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its address of IPv6.
    #[must_use]
    pub fn address_v6(&self) -> SocketAddr {
        SocketAddr::from((Ipv6Addr::LOCALHOST, self.port))
    }
}
