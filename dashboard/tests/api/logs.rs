//! Logs for collectors.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::free_port;

#[test]
fn with_log_format_json_every_line_is_an_object() {
    let mut dashboard = Command::new(env!("CARGO_BIN_EXE_dashboard"))
        .env("LOG_FORMAT", "json")
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("ADMIN_ADDR", "127.0.0.1:0")
        .env("DATABASE_URL", format!("postgres://postgres@127.0.0.1:{}/none", free_port()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(dashboard.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("cannot connect to postgres") {
            let pid = dashboard.id().to_string();
            assert!(Command::new("kill").arg(pid).status().unwrap().success());
        }
        let object: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in ["timestamp", "level", "target", "message"] {
            assert!(object[name].is_string(), "{line}");
        }
        told.push(object["message"].as_str().unwrap().to_owned());
    }
    assert!(dashboard.wait().unwrap().success(), "{told:?}");
    assert!(told.iter().any(|message| message.starts_with("stopping")), "{told:?}");
}
