//! Defines the settings of challenges.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::submission::work;
use votestream_service::config::{CommaList, Secret};
use warp::http::Uri;

/// When new voters of open polls have to solve a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChallengeMode {
    /// Nobody has to.
    Off,
    /// Those have to who come while their network, or the poll, exceeds its usual rate.
    Auto,
    /// Every new voter has to.
    Always,
}

/// The answer to a voter whose solution the other service did not check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifierDown {
    /// A proof of work instead.
    Work,
    /// 503, to be tried again later.
    Refuse,
}

/// The settings of challenges.
#[derive(Args, Clone, Debug)]
pub struct ChallengeArgs {
    /// Ask new voters of open polls for the solution of a challenge, which costs a program that votes many times: never,
    /// while their network or the poll exceeds its usual rate, or always. Whoever has voted is never asked
    #[arg(long, env = "CHALLENGE", value_enum, default_value_t = ChallengeMode::Off)]
    pub challenge: ChallengeMode,
    /// Let a solution by proof of work take this many hashes on average. A browser made 2 million a second on the computer
    /// where this was measured, and a telephone is several times slower
    #[arg(long, env = "CHALLENGE_WORK_HASHES", default_value_t = 400_000,
          value_parser = clap::value_parser!(u32).range(i64::from(*work::HASHES.start())..=i64::from(*work::HASHES.end())))]
    pub challenge_work_hashes: u32,
    /// With CHALLENGE=auto, let an address bring this many new voters to a poll without a challenge: at once, and then in
    /// each minute. Larger networks have a multiple, as with NEW_VOTERS_AT_ONCE; `off` for any number
    #[arg(
        long,
        env = "CHALLENGE_NETWORK_USUAL",
        default_value = "200/60",
        value_name = "AT_ONCE/PER_MINUTE"
    )]
    pub challenge_network_usual: NetworkLimit,
    /// With CHALLENGE=auto, let a poll have this many new voters without a challenge: at once, and then in each minute;
    /// `off` for any number
    #[arg(
        long,
        env = "CHALLENGE_POLL_USUAL",
        default_value = "50000/30000",
        value_name = "AT_ONCE/PER_MINUTE"
    )]
    pub challenge_poll_usual: NetworkLimit,
    /// Let another service check that voters are people, instead of a proof of work, and ask it at this address, of the
    /// form that Turnstile, hCaptcha and reCAPTCHA have: https://…/siteverify. It learns the addresses of voters
    #[arg(long, env = "CHALLENGE_VERIFIER_URL")]
    pub challenge_verifier_url: Option<Uri>,
    /// Read the secret for that service from this file, again every few seconds
    #[arg(long, env = "CHALLENGE_VERIFIER_SECRET_FILE", requires = "challenge_verifier_url")]
    pub challenge_verifier_secret_file: Option<PathBuf>,
    /// Use this site key, which that service has issued, on the ballot page
    #[arg(long, env = "CHALLENGE_SITE_KEY", requires = "challenge_verifier_url")]
    pub challenge_site_key: Option<String>,
    /// Load that service's script from this address; it must render nothing by itself: https://…/api.js?render=explicit
    #[arg(long, env = "CHALLENGE_SCRIPT_URL", requires = "challenge_verifier_url")]
    pub challenge_script_url: Option<Uri>,
    /// Let the ballot page load scripts, frames and styles from these origins, each with a path if only that part is
    /// meant, separated by commas: by default the origin of CHALLENGE_SCRIPT_URL
    #[arg(long, env = "CHALLENGE_SCRIPT_ORIGINS", default_value = "", hide_default_value = true)]
    pub challenge_script_origins: CommaList<Uri>,
    /// Wait at most this many milliseconds for that service's answer
    #[arg(long, env = "CHALLENGE_VERIFIER_TIMEOUT_MS", default_value_t = 3_000,
          value_parser = clap::value_parser!(u64).range(100..=30_000))]
    pub challenge_verifier_timeout_ms: u64,
    /// While that service is away, slow or answers nonsense, ask voters for a proof of work instead, or refuse their
    /// ballots with 503
    #[arg(long, env = "CHALLENGE_VERIFIER_DOWN", value_enum, default_value_t = VerifierDown::Work)]
    pub challenge_verifier_down: VerifierDown,
}

/// The service that checks whether voters are people.
#[derive(Clone, Debug)]
pub struct VerifierArgs {
    /// The address that checks solutions.
    pub url: Uri,
    /// The file with the secret.
    pub secret_file: PathBuf,
    /// The key of this site.
    pub site_key: String,
    /// The address of the script for pages.
    pub script_url: Uri,
    /// The origins from which pages may load scripts, frames and styles, separated by blanks.
    pub origins: String,
}

impl ChallengeArgs {
    /// Returns the settings of the other service, if there is one.
    ///
    /// # Errors
    /// Returns an error that names a setting that is missing or makes no sense.
    pub fn verifier(&self) -> anyhow::Result<Option<VerifierArgs>> {
        let Some(url) = self.challenge_verifier_url.clone() else { return Ok(None) };
        let missing = |name| format!("CHALLENGE_VERIFIER_URL needs {name} as well");
        let secret_file = self.challenge_verifier_secret_file.clone();
        let secret_file = secret_file.with_context(|| missing("CHALLENGE_VERIFIER_SECRET_FILE"))?;
        let site_key = self.challenge_site_key.clone();
        let site_key = site_key.with_context(|| missing("CHALLENGE_SITE_KEY"))?;
        let script_url = self.challenge_script_url.clone();
        let script_url = script_url.with_context(|| missing("CHALLENGE_SCRIPT_URL"))?;
        origin(&url).context("CHALLENGE_VERIFIER_URL")?;
        let of_script = origin(&script_url).context("CHALLENGE_SCRIPT_URL")?;
        let named = self.challenge_script_origins.0.iter().map(source);
        let named = named.collect::<anyhow::Result<Vec<_>>>();
        let named = named.context("CHALLENGE_SCRIPT_ORIGINS")?;
        let origins = if named.is_empty() { of_script } else { named.join(" ") };
        Ok(Some(VerifierArgs { url, secret_file, site_key, script_url, origins }))
    }
}

impl VerifierArgs {
    /// Reads the secret, as the file has it now.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is empty.
    pub fn secret(&self) -> anyhow::Result<Secret> {
        let path = self.secret_file.display();
        let text = std::fs::read_to_string(&self.secret_file);
        let text = text.with_context(|| format!("CHALLENGE_VERIFIER_SECRET_FILE {path}"))?;
        ensure!(!text.trim().is_empty(), "CHALLENGE_VERIFIER_SECRET_FILE {path} is empty");
        Ok(text.trim().parse()?)
    }
}

/// The origin of an address, as a content security policy names it.
fn origin(address: &Uri) -> anyhow::Result<String> {
    let scheme = address.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
    let (scheme, host) = scheme
        .zip(address.authority())
        .with_context(|| format!("`{address}` is no address of the form https://host"))?;
    let is_this_machine = ["localhost", "127.0.0.1", "[::1]"].contains(&host.host());
    ensure!(
        scheme == "https" || is_this_machine,
        "`{address}` must begin with https://, because the secret and the addresses of voters are sent there, or its script \
         runs in the ballot page"
    );
    let host = host.as_str();
    // A semicolon or comma would end the policy's list.
    ensure!(!host.contains([';', ',', '@']), "`{host}` is no name of a host");
    Ok(format!("{scheme}://{host}"))
}

/// An address as a content security policy names it: its origin, and its path if it has one, which allows only what lies
/// below it.
fn source(address: &Uri) -> anyhow::Result<String> {
    let (origin, path) = (origin(address)?, address.path());
    ensure!(!path.contains([';', ',']), "`{path}` is no path for a content security policy");
    Ok(format!("{origin}{}", if path == "/" { "" } else { path }))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Config;

    fn parse(flags: &[&str]) -> ChallengeArgs {
        Config::parse_from([&["producer"], flags].concat()).challenge
    }

    const VERIFIER: [&str; 4] = [
        "--challenge-verifier-url=https://checks.example/siteverify",
        "--challenge-verifier-secret-file=/dev/null",
        "--challenge-site-key=key",
        "--challenge-script-url=https://scripts.example:8443/api.js?render=explicit",
    ];

    #[test]
    fn neither_secret_nor_script_travels_in_clear_text() {
        for (setting, value) in [(0, "--challenge-verifier-url"), (3, "--challenge-script-url")] {
            let mut flags = VERIFIER.map(str::to_owned);
            flags[setting] = format!("{value}=http://checks.example/x");
            let flags = flags.each_ref().map(String::as_str);
            let error = format!("{:#}", parse(&flags).verifier().unwrap_err());
            assert!(error.contains("must begin with https://"), "{error}");
        }
    }

    #[test]
    fn another_service_needs_all_of_its_settings() {
        assert!(parse(&[]).verifier().unwrap().is_none());
        for left_out in 1..VERIFIER.len() {
            let mut flags = VERIFIER.to_vec();
            flags.remove(left_out);
            let error = parse(&flags).verifier().unwrap_err().to_string();
            assert!(error.contains("CHALLENGE_VERIFIER_URL needs CHALLENGE_"), "{error}");
        }
        let whole = parse(&VERIFIER).verifier().unwrap().unwrap();
        assert_eq!(whole.origins, "https://scripts.example:8443");
        assert!(whole.secret().unwrap_err().to_string().contains("is empty"));
        let more = "--challenge-script-origins=https://a.example, https://*.b.example";
        let whole = parse(&[&VERIFIER[..], &[more]].concat()).verifier().unwrap().unwrap();
        assert_eq!(whole.origins, "https://a.example https://*.b.example");
        // A path stays, because it allows less than its whole host.
        let more =
            "--challenge-script-origins=https://www.google.com/recaptcha/,https://a.example/";
        let whole = parse(&[&VERIFIER[..], &[more]].concat()).verifier().unwrap().unwrap();
        assert_eq!(whole.origins, "https://www.google.com/recaptcha/ https://a.example");
    }

    #[test]
    fn an_address_without_a_host_is_refused() {
        let mut flags = VERIFIER;
        flags[3] = "--challenge-script-url=/api.js";
        let error = format!("{:#}", parse(&flags).verifier().unwrap_err());
        assert!(error.starts_with("CHALLENGE_SCRIPT_URL: `/api.js`"), "{error}");
        for bad in ["ftp://x.example", "https://x.example;script-src", "https://me@x.example"] {
            assert!(!bad.parse().is_ok_and(|address| origin(&address).is_ok()), "{bad}");
        }
    }
}
