//! A headless Chromium that a test drives over WebDriver, and the checks of a page that tests share.

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
/// The longest that [`Browser::click`] and [`Browser::until`] wait.
const SOON: Duration = Duration::from_secs(60);
/// The shortest and the longest pause between two looks at a page.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
/// Lists the elements that reach beyond the window, if the page can be scrolled sideways.
const TOO_WIDE: &str = r#"
const page = document.documentElement;
if (page.scrollWidth <= innerWidth) return [];
const wide = [...document.body.querySelectorAll("*")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth && one.closest("[tabindex]") === null);
return [`the page is ${page.scrollWidth} px wide, the window ${innerWidth}: ` +
    wide.map((one) => one.id || one.className || one.tagName).join(", ")];
"#;
/// Runs axe with the rules of WCAG 2.2, levels A and AA, and with those that axe calls best practice.
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

/// Lists the jumps of a page since it was opened, each with its size and the elements that moved, except those that follow
/// a click or a key (<https://wicg.github.io/layout-instability/>).
const JUMPS: &str = r#"
const done = arguments[arguments.length - 1];
const name = (node) => node?.id || node?.className || node?.nodeName;
const jumps = [];
new PerformanceObserver((list) => {
    for (const jump of list.getEntries().filter((one) => !one.hadRecentInput)) {
        jumps.push(`${jump.value.toFixed(4)}: ${jump.sources.map((one) => name(one.node)).join(", ")}`);
    }
}).observe({ type: "layout-shift", buffered: true });
setTimeout(() => done(jumps), 300);
"#;

/// Returns when the largest text or picture of the first screen was painted, in milliseconds since the page was asked for
/// (<https://w3c.github.io/largest-contentful-paint/>).
const LARGEST_PAINT: &str = r#"
const done = arguments[arguments.length - 1];
let last = null;
new PerformanceObserver((list) => {
    for (const paint of list.getEntries()) last = paint.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
setTimeout(() => done(last), 500);
"#;
/// A slow 3G network: the time to an answer in milliseconds, and bytes a second in each direction.
const SLOW_NETWORK: (u32, u32) = (400, 50_000);
/// By how much a cheap telephone calculates more slowly than this machine.
const SLOW_PROCESSOR: u32 = 4;

/// The settings of a visitor's browser.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Whether the browser runs the scripts of a page.
    pub javascript: bool,
    /// Whether the browser keeps cookies.
    pub cookies: bool,
    /// Whether the visitor prefers dark colours (`prefers-color-scheme`).
    pub dark: bool,
    /// The width of the page in CSS pixels.
    pub width: u32,
    /// The height of the page in CSS pixels.
    pub height: u32,
    /// Further command-line arguments for Chromium, such as `--lang=de`.
    pub arguments: Vec<String>,
}

impl Default for BrowserOptions {
    fn default() -> Self {
        Self {
            javascript: true,
            cookies: true,
            dark: false,
            width: 1280,
            height: 900,
            arguments: Vec::new(),
        }
    }
}

/// A browser with a fresh profile, so that it stands for one visitor. All methods of [`Client`] can be called on it.
/// Dropping the value ends the browser.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    profile: PathBuf,
    driver: Process,
}

impl Browser {
    /// Starts chromedriver and, through it, Chromium.
    ///
    /// # Panics
    /// Panics if chromedriver or Chromium is missing or does not start.
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
    /// Returns the browser's error if it does not know the command or refuses its parameters.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Result<Value, CmdError> {
        let body = json!({ "cmd": method, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await
    }

    /// Returns the errors on the browser's console since the last call. Breaches of the Content Security Policy are
    /// among them.
    ///
    /// # Panics
    /// Panics if the browser is gone.
    pub async fn console_errors(&self) -> Vec<String> {
        let command = Extension { path: "se/log", body: json!({ "type": "browser" }) };
        let entries = self.client.issue_cmd(command).await.expect("the console can be read");
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    /// Writes a screenshot of the window as a PNG file, and makes the folder of the file where it is missing.
    ///
    /// # Panics
    /// Panics if the browser makes no screenshot, or the file cannot be written.
    pub async fn screenshot_to(&self, file: &Path) {
        let png = self.client.screenshot().await.expect("the browser makes a picture");
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("the picture's folder can be made");
        }
        fs::write(file, png).expect("the picture can be written");
    }

    /// Returns the accessibility violations of the open page, see [`axe_violations`].
    ///
    /// # Panics
    /// Panics if axe does not run.
    pub async fn axe_violations(&self) -> Vec<String> {
        axe_violations(&self.client).await
    }

    /// Returns the flaws of the open page, one a line, each line beginning with `name`: the violations that axe finds,
    /// and elements that make the page scroll sideways. If the variable `PICTURES` names a folder, a screenshot
    /// is written there as well.
    ///
    /// # Panics
    /// Panics if scripts or axe do not run in the page.
    pub async fn flaws(&self, name: &str) -> Vec<String> {
        if let Some(folder) = std::env::var_os("PICTURES") {
            self.screenshot_to(&Path::new(&folder).join(format!("{name}.png"))).await;
        }
        let wide = self.execute(TOO_WIDE, Vec::new()).await.expect("scripts run");
        let wide: Vec<String> = serde_json::from_value(wide).expect("a list of texts");
        let found = self.axe_violations().await.into_iter().chain(wide);
        found.map(|flaw| format!("{name}: {flaw}")).collect()
    }

    /// Returns the jumps of the open page since it was opened, one a line, each line beginning with `name`. Those that
    /// follow a click or a key are left out.
    ///
    /// # Panics
    /// Panics if scripts do not run in the page.
    pub async fn jumps(&self, name: &str) -> Vec<String> {
        let found = self.execute_async(JUMPS, Vec::new()).await.expect("scripts run");
        let found: Vec<String> = serde_json::from_value(found).expect("a list of texts");
        found.into_iter().map(|jump| format!("{name}: {jump}")).collect()
    }

    /// Opens a page as somebody does who has never seen it, on a telephone with a quarter of this machine's speed in a slow
    /// 3G network (400 ms to each answer, 400 kbit/s). Returns when the largest text or picture of its first screen was
    /// painted, in milliseconds since the page was asked for.
    ///
    /// # Panics
    /// Panics if the browser cannot be slowed down, or paints nothing.
    pub async fn largest_paint_ms(&self, address: &str) -> f64 {
        let (latency, bytes_per_s) = SLOW_NETWORK;
        let network = json!({ "offline": false, "latency": latency, "downloadThroughput": bytes_per_s,
            "uploadThroughput": bytes_per_s, "connectionType": "cellular3g" });
        let commands = [
            ("Network.enable", json!({})),
            ("Network.clearBrowserCache", json!({})),
            ("Network.emulateNetworkConditions", network),
            ("Emulation.setCPUThrottlingRate", json!({ "rate": SLOW_PROCESSOR })),
        ];
        for (command, parameters) in commands {
            self.devtools(command, parameters).await.expect("the browser can be slowed down");
        }
        self.goto(address).await.expect("the page opens");
        let painted = self.execute_async(LARGEST_PAINT, Vec::new()).await.expect("scripts run");
        painted.as_f64().expect("something was painted")
    }

    /// Shows pages as a system does whose user has chosen few colours of high contrast (`forced-colors: active`).
    ///
    /// # Panics
    /// Panics if the browser does not do so.
    pub async fn force_colours(&self) {
        let features = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
        self.devtools("Emulation.setEmulatedMedia", features).await.expect("colours are forced");
        let asked = "return matchMedia('(forced-colors: active)').matches";
        let active = self.execute(asked, Vec::new()).await.expect("scripts run");
        assert_eq!(active, true, "colours are not forced");
    }

    /// Returns the visible text of the first element that matches, or an empty text while no element does.
    pub async fn text(&self, css: &str) -> String {
        match self.find(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until an element is there, and clicks it.
    ///
    /// # Panics
    /// Panics if the element does not appear within a minute or cannot be clicked.
    pub async fn click(&self, css: &str) {
        let found = self.wait().at_most(SOON).for_element(Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("no {css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Waits up to a minute until `wanted` returns true for an element's text.
    ///
    /// # Panics
    /// Panics if the time is over; the message holds the last text.
    pub async fn until(&self, css: &str, wanted: impl Fn(&str) -> bool) {
        self.until_within(SOON, css, wanted).await;
    }

    /// Waits as [`Browser::until`] does, but up to `at_most`.
    ///
    /// # Panics
    /// Panics if the time is over; the message holds the last text.
    pub async fn until_within(&self, at_most: Duration, css: &str, wanted: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        loop {
            let text = self.text(css).await;
            if wanted(&text) {
                return;
            }
            assert!(begun.elapsed() < at_most, "{css} stays {text:?}");
            // Each look takes as much of the processor as the page itself.
            tokio::time::sleep((begun.elapsed() / 10).clamp(PAUSE.0, PAUSE.1)).await;
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

/// Returns the violations that axe finds in the open page, one line for each element: WCAG 2.2, levels A and AA, and
/// axe's best practices.
///
/// # Panics
/// Panics if axe does not run.
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
    let BrowserOptions { javascript, cookies, dark, width, height, .. } = options;
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
    // Chromium's preferences: 1 allows, 2 blocks.
    let preference = |allowed: bool| if allowed { 1 } else { 2 };
    json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": {
                "profile.managed_default_content_settings.javascript": preference(*javascript),
                "profile.managed_default_content_settings.cookies": preference(*cookies),
            },
            // A desktop window cannot be as narrow as a telephone; an emulated device can.
            "mobileEmulation": { "deviceMetrics": {
                "width": width, "height": height, "pixelRatio": 1.0, "mobile": false, "touch": false,
            } },
        },
    })
}

/// A command that chromedriver has beyond the WebDriver standard.
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
