//! The settings of the host's service, read from flags or environment variables and parsed once.

use std::net::SocketAddr;

use clap::Parser;
use ipnet::IpNet;
use votestream_service::config::{
    CommaList, CommonArgs, ListenerArgs, PostgresArgs, RedisArgs, Task,
};

/// Let organisers open, change and close polls, on pages and through an API
///
/// Who may do so, and in which polls, is decided with `votectl organisers`. Every step is kept; `votectl log` prints it.
#[derive(Parser, Clone, Debug)]
#[command(name = "host", version)]
pub struct Config {
    /// The command to run instead of serving, if any.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Serve pages and API to organisers at this address
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0:8082")]
    pub listen_addr: SocketAddr,
    /// Serve /metrics, /healthz and /readyz at this address
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9083")]
    pub admin_addr: SocketAddr,
    /// Link from a poll's page to this address, where people vote; no link when absent
    #[arg(long, env = "VOTE_URL")]
    pub vote_url: Option<String>,
    /// Link from a poll's page to this address, where the results are shown; no link when absent
    #[arg(long, env = "RESULTS_URL")]
    pub results_url: Option<String>,
    /// Believe X-Forwarded-For, -Proto and -Host from proxies in these networks, separated by commas
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", hide_default_value = true)]
    pub trusted_proxies: CommaList<IpNet>,
    /// Treat every client as connected through TLS: mark cookies Secure and name them __Host-…. By default
    /// X-Forwarded-Proto from a trusted proxy decides for each request
    #[arg(long, env = "COOKIE_SECURE", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub cookie_secure: bool,
    /// Let clients in these networks sign in over plain HTTP, separated by commas. Tokens and cookies cross the network
    /// as they are then. Clients whose request a proxy forwarded need TLS in any case
    #[arg(long, env = "PLAIN_HTTP_FROM", default_value = "127.0.0.0/8,::1/128")]
    pub plain_http_from: CommaList<IpNet>,
    /// Limits on the connections of organisers.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// The Redis server or cluster that takes the ballots.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// The Postgres database that holds polls and organisers.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// Log and shutdown settings that all services share.
    #[command(flatten)]
    pub common: CommonArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent_and_every_one_is_also_a_variable() {
        Config::command().debug_assert();
        for arg in Config::command().get_arguments().filter(|arg| arg.get_long().is_some()) {
            let flag = arg.get_long().unwrap_or_default().to_uppercase().replace('-', "_");
            if !["HELP", "VERSION"].contains(&flag.as_str()) {
                assert_eq!(arg.get_env().and_then(|e| e.to_str()), Some(flag.as_str()));
            }
        }
    }
}
