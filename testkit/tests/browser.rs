//! The browser of the test kit, on pages that are made to fail its checks.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test may")]

use testkit::{Browser, BrowserOptions, folder};

const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>A page</title>
<meta http-equiv="Content-Security-Policy" content="script-src 'none'"></head>
<body><main><h1>A page</h1>BODY</main></body></html>"#;

fn page(body: &str) -> String {
    let file = folder("page").join("page.html");
    std::fs::write(&file, PAGE.replace("BODY", body)).unwrap();
    format!("file://{}", file.display())
}

#[tokio::test]
async fn axe_finds_a_picture_without_text_and_nothing_on_a_good_page() {
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&page("<p>Fine.</p>")).await.unwrap();
    assert_eq!(browser.axe_violations().await, Vec::<String>::new());

    browser
        .goto(&page("<img src='x.png'><button style='width:9px;height:9px'></button>"))
        .await
        .unwrap();
    let found = browser.axe_violations().await;
    assert!(found.iter().any(|line| line.starts_with("image-alt")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("button-name")), "{found:?}");
}

#[tokio::test]
async fn options_reach_the_page() {
    for (dark, width) in [(false, 1440), (true, 320)] {
        let options = BrowserOptions { dark, width, ..BrowserOptions::default() };
        let browser = Browser::start(options).await;
        browser.goto(&page("<p>Fine.</p>")).await.unwrap();
        let seen = "return [matchMedia('(prefers-color-scheme: dark)').matches, innerWidth]";
        let seen = browser.execute(seen, Vec::new()).await.unwrap();
        assert_eq!(seen, serde_json::json!([dark, width]));
    }
}

#[tokio::test]
async fn scripts_run_only_where_they_are_on() {
    let html = "<!doctype html><title>no</title><script>document.title = 'yes'</script>";
    let file = folder("page").join("script.html");
    std::fs::write(&file, html).unwrap();
    for (javascript, title) in [(true, "yes"), (false, "no")] {
        let options = BrowserOptions { javascript, ..BrowserOptions::default() };
        let browser = Browser::start(options).await;
        browser.goto(&format!("file://{}", file.display())).await.unwrap();
        assert_eq!(browser.title().await.unwrap(), title);
    }
}

#[tokio::test]
async fn console_reports_a_breach_of_the_csp_and_screenshots_are_made() {
    let browser = Browser::start(BrowserOptions::default()).await;
    browser.goto(&page("<script>1</script>")).await.unwrap();
    let said = browser.console_errors().await;
    assert!(said.iter().any(|line| line.contains("Content Security Policy")), "{said:?}");

    let file = folder("picture").join("page.png");
    browser.screenshot_to(&file).await;
    assert!(std::fs::read(file).unwrap().starts_with(b"\x89PNG"));
}
