//! Checks how a service serves its static files.

use crate::http::Client;

/// Checks of every file, given as name, content type and bytes, that it is served with its type, compressed for those who can
/// read it, for five minutes under its name, and for good at the address that `path` gives for it. Scripts must name others
/// by these addresses.
///
/// # Panics
/// Panics at the first file that is served in another way.
pub async fn check_static_files<'a>(
    client: &Client,
    files: &[(&str, &str, &[u8])],
    path: impl Fn(&str) -> &'a str,
) {
    for (name, content_type, bytes) in files {
        let plain = client.get(&format!("/static/{name}")).send().await;
        assert_eq!(plain.header("content-type"), Some(*content_type), "{name}");
        assert_eq!(plain.header("cache-control"), Some("public, max-age=300"), "{name}");
        match std::str::from_utf8(bytes) {
            Ok(text) if name.ends_with(".js") || name.ends_with(".css") => {
                let scripts = files.iter().filter(|(other, ..)| other.ends_with(".js"));
                let named = scripts.fold(text.to_owned(), |text, (other, ..)| {
                    text.replace(
                        &format!("'./{other}'"),
                        &format!("'{}'", path(other).replace("/static", ".")),
                    )
                });
                // Comments and indentation are left out.
                let body = plain.text();
                let mut lines = named.lines().map(str::trim);
                let foreign =
                    body.lines().find(|line| !lines.any(|line_of_file| line_of_file == *line));
                assert_eq!(foreign, None, "{name}");
                assert!(body.len() * 3 > named.len(), "{name}: too little is left");
            }
            _ => assert!(plain.body == *bytes, "{name}"),
        }
        let path = path(name);
        assert_ne!(path, format!("/static/{name}"));
        let kept = client.get(path).send().await;
        assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert!(kept.body == plain.body && kept.header("content-encoding").is_none(), "{name}");
        for encoding in ["br", "gzip"] {
            let reply = client.get(path).header("accept-encoding", encoding).send().await;
            assert_eq!(reply.header("vary"), Some("accept-encoding"), "{name}");
            if bytes.len() > 600 && !name.ends_with(".ico") {
                assert_eq!(reply.header("content-encoding"), Some(encoding), "{name}");
                assert!(reply.body.len() * 10 < bytes.len() * 7, "{name}: {}", reply.body.len());
            }
        }
    }
    let icon = client.get("/favicon.ico").send().await;
    assert_eq!((icon.status, icon.header("content-type")), (200, Some("image/x-icon")));
}

/// Returns how many bytes a page brings to a browser that sees it for the first time: the page, and the styles, scripts and
/// pictures that its head names, compressed as a browser gets them. Heads of replies do not count.
///
/// # Panics
/// Panics if a file that the page names is not there.
pub async fn page_bytes(client: &Client, path: &str) -> usize {
    let page = client.get(path).send().await;
    let text = page.text();
    let mut files: Vec<&str> = text.split('"').filter(|it| it.starts_with("/static/")).collect();
    files.sort_unstable();
    files.dedup();
    let compressed = client.get(path).header("accept-encoding", "gzip, br").send().await;
    assert_eq!(compressed.header("content-encoding"), Some("gzip"), "{path}");
    let mut bytes = compressed.body.len();
    for file in files {
        let reply = client.get(file).header("accept-encoding", "br").send().await;
        assert_eq!(reply.status, 200, "{file}");
        bytes += reply.body.len();
    }
    bytes
}
