//! A headless Chromium, driven over WebDriver.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator, error::CmdError, wd::WebDriverCompatibleCommand};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use standalone::servers::{Process, free_port, kill_by_argument};
use url::{ParseError, Url};

use crate::folder;

const AXE: &str = include_str!("../assets/axe.min.js");
/// No condition that is waited for may take longer than this.
const SOON: Duration = Duration::from_secs(20);
/// What is wider than the window, if the page is.
const TOO_WIDE: &str = r#"
const page = document.documentElement;
if (page.scrollWidth <= innerWidth) return [];
const wide = [...document.body.querySelectorAll("*")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth && one.closest("[tabindex]") === null);
return [`the page is ${page.scrollWidth} px wide, the window ${innerWidth}: ` +
    wide.map((one) => one.id || one.className || one.tagName).join(", ")];
"#;
/// WCAG 2.2 A and AA, and what axe calls best practice.
const RUN_AXE: &str = r#"
const done = arguments[arguments.length - 1];
axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules: { "target-size": { enabled: true } },
    resultTypes: ["violations"],
}).then(
    (results) => done(results.violations.flatMap((violation) => violation.nodes.map((node) =>
        `${violation.id} (${violation.impact}): ${violation.help}: ${node.target.join(" ")}: ` +
        `${node.failureSummary}`))),
    (error) => done([`axe failed: ${error}`]));
"#;

/// How a visitor's browser is set up.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Whether scripts run.
    pub javascript: bool,
    /// Whether the visitor prefers dark colours.
    pub dark: bool,
    /// Width of the page in CSS pixels.
    pub width: u32,
    /// Height of the page in CSS pixels.
    pub height: u32,
    /// More of Chromium's command-line arguments.
    pub arguments: Vec<String>,
}

impl Default for BrowserOptions {
    fn default() -> Self {
        Self { javascript: true, dark: false, width: 1280, height: 900, arguments: Vec::new() }
    }
}

/// A browser with a fresh profile: one visitor. It is a [`Client`] too. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    profile: PathBuf,
    driver: Process,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Panics
    /// If chromedriver or Chromium is missing or does not start.
    pub async fn start(options: BrowserOptions) -> Self {
        let folder = folder("browser");
        let profile = folder.join("profile");
        let (driver, port) = start_driver(&folder);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let Value::Object(capabilities) = capabilities(&options, &profile) else {
            unreachable!("the capabilities are an object");
        };
        builder.capabilities(capabilities);
        let client = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        Self { client, profile, driver }
    }

    /// Sends a command of the Chrome DevTools protocol, such as `Network.emulateNetworkConditions`.
    ///
    /// # Errors
    /// What the browser objects.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Result<Value, CmdError> {
        let body = json!({ "cmd": method, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await
    }

    /// What the console said since it was last asked: errors and breaches of the CSP.
    ///
    /// # Panics
    /// If the browser is gone.
    pub async fn console_errors(&self) -> Vec<String> {
        let command = Extension { path: "se/log", body: json!({ "type": "browser" }) };
        let entries = self.client.issue_cmd(command).await.expect("the console can be read");
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    /// Writes a picture (PNG) of what is to be seen.
    ///
    /// # Panics
    /// If there is none, or the file cannot be written.
    pub async fn screenshot_to(&self, file: &Path) {
        let png = self.client.screenshot().await.expect("the browser makes a picture");
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("the picture's folder can be made");
        }
        fs::write(file, png).expect("the picture can be written");
    }

    /// What axe finds wrong with the page, see [`axe_violations`].
    ///
    /// # Panics
    /// If axe does not run.
    pub async fn axe_violations(&self) -> Vec<String> {
        axe_violations(&self.client).await
    }

    /// What is wrong with the page as it stands, each line beginning with `name`: what axe finds, and
    /// what makes it scroll sideways. With a folder in the variable `PICTURES`, leaves a picture there.
    ///
    /// # Panics
    /// If the page cannot be looked at.
    pub async fn flaws(&self, name: &str) -> Vec<String> {
        if let Some(folder) = std::env::var_os("PICTURES") {
            self.screenshot_to(&Path::new(&folder).join(format!("{name}.png"))).await;
        }
        let wide = self.execute(TOO_WIDE, Vec::new()).await.expect("scripts run");
        let wide: Vec<String> = serde_json::from_value(wide).expect("a list of texts");
        let found = self.axe_violations().await.into_iter().chain(wide);
        found.map(|flaw| format!("{name}: {flaw}")).collect()
    }

    /// The text of an element as it is seen, empty while there is none.
    pub async fn text(&self, css: &str) -> String {
        match self.find(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Clicks an element, once it is there.
    ///
    /// # Panics
    /// If it does not come.
    pub async fn click(&self, css: &str) {
        let found = self.wait().at_most(SOON).for_element(Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("no {css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Waits until an element's text is as wanted.
    ///
    /// # Panics
    /// If it does not become so.
    pub async fn until(&self, css: &str, wanted: impl Fn(&str) -> bool) {
        self.until_within(SOON, css, wanted).await;
    }

    /// The same for what takes longer.
    ///
    /// # Panics
    /// If it does not become so.
    pub async fn until_within(&self, at_most: Duration, css: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + at_most;
        loop {
            let text = self.text(css).await;
            if wanted(&text) {
                return;
            }
            assert!(Instant::now() < deadline, "{css} stays {text:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.kill();
        kill_by_argument(&self.profile);
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// What axe finds wrong with the page that is open: WCAG 2.2 A and AA, and best practice. One line
/// for each place.
///
/// # Panics
/// If axe does not run.
pub async fn axe_violations(client: &Client) -> Vec<String> {
    client.execute(AXE, Vec::new()).await.expect("axe loads");
    let found = client.execute_async(RUN_AXE, Vec::new()).await.expect("axe runs");
    let found = found.as_array().expect("axe answers with a list");
    found.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

fn start_driver(folder: &Path) -> (Process, u16) {
    for _ in 0..5 {
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).arg("--log-level=WARNING");
        let (log, pid_file) = (folder.join("chromedriver.log"), folder.join("chromedriver.pid"));
        let mut driver = Process::spawn("chromedriver", command, folder, &log, &pid_file)
            .unwrap_or_else(|error| panic!("{error} (install chromium-driver)"));
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        if driver.wait_ready(Duration::from_secs(30), listens).is_ok() {
            return (driver, port);
        }
    }
    panic!("chromedriver does not start; its log: {}", folder.join("chromedriver.log").display());
}

fn capabilities(options: &BrowserOptions, profile: &Path) -> Value {
    let BrowserOptions { javascript, dark, width, height, .. } = options;
    let mut arguments: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--window-size={width},{height}"));
    // Blink's PreferredColorScheme: 0 is dark, 1 is light.
    arguments.push(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    arguments.extend(options.arguments.iter().cloned());
    // A setting of 2 means "block".
    let scripts = if *javascript { 1 } else { 2 };
    json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": scripts },
            // Windows cannot be as narrow as telephones; pages can.
            "mobileEmulation": { "deviceMetrics": {
                "width": width, "height": height, "pixelRatio": 1.0, "mobile": false, "touch": false,
            } },
        },
    })
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
