//! A slow network, over which a page arrives in pieces.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long each piece is waited for: long enough for a browser to paint what it has.
const PAUSE: Duration = Duration::from_millis(150);

/// Forwards connections to this port of 127.0.0.1, and pauses in each reply before this text. Returns the port that browsers
/// open instead.
///
/// # Panics
/// Panics if no port can be opened.
pub async fn in_pieces(port: u16, before: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("some port is free");
    let ours = listener.local_addr().expect("a listener has an address").port();
    tokio::spawn(async move {
        while let Ok((browser, _)) = listener.accept().await {
            tokio::spawn(forward(browser, port, before.as_bytes()));
        }
    });
    ours
}

/// Forwards one connection until either end closes it.
async fn forward(browser: TcpStream, port: u16, before: &[u8]) -> std::io::Result<()> {
    let service = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut from, mut to) = browser.into_split();
    let (mut replies, mut requests) = service.into_split();
    tokio::spawn(async move {
        let mut asked = BytesMut::new();
        while from.read_buf(&mut asked).await? > 0 {
            // The text has to be found in the page, so the page must not be compressed.
            while let Some(at) = asked.windows(4).position(|some| some == b"gzip") {
                asked[at..at + 4].copy_from_slice(b"none");
            }
            requests.write_all(&asked.split()).await?;
        }
        std::io::Result::Ok(())
    });
    let mut bytes = BytesMut::new();
    while replies.read_buf(&mut bytes).await? > 0 {
        while let Some(at) = bytes.windows(before.len()).position(|some| some == before) {
            to.write_all(&bytes.split_to(at)).await?;
            tokio::time::sleep(PAUSE).await;
            to.write_all(&bytes.split_to(before.len())).await?;
        }
        to.write_all(&bytes.split()).await?;
    }
    Ok(())
}
