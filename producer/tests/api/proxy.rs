//! A TCP proxy before Redis that makes the way there slow, loses a reply, or lets nobody new in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Ends with the test's runtime.
pub struct Proxy {
    pub redis_url: String,
    cuts: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
}

impl Proxy {
    /// To the Redis on this port; each reply is held back for `delay`.
    pub async fn to(port: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let redis_url = format!("redis://{}/", listener.local_addr().unwrap());
        let cuts = Arc::new(AtomicBool::new(false));
        let closed = Arc::new(AtomicBool::new(false));
        let (cut, is_closed) = (cuts.clone(), closed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", port)).await;
                // A Redis that is away looks the same through the proxy: the connection ends.
                if let Ok(server) = server {
                    tokio::spawn(pass(client, server, delay, cut.clone()));
                }
            }
        });
        Self { redis_url, cuts, closed }
    }

    /// Lets nobody new in; who is connected stays so.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Lets the next call of the register script reach Redis, swallows the reply, and cuts the
    /// connection.
    pub fn cut_next_call(&self) {
        self.cuts.store(true, Ordering::SeqCst);
    }

    /// Whether it was cut.
    pub fn has_cut(&self) -> bool {
        !self.cuts.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: TcpStream, delay: Duration, cuts: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(bytes @ 1..) = read else { return };
                let asked = &asked[..bytes];
                let is_call = asked.windows(7).any(|word| word == b"EVALSHA");
                if to_server.write_all(asked).await.is_err() {
                    return;
                }
                if is_call && cuts.swap(false, Ordering::SeqCst) {
                    // The reply proves that the script has run.
                    let _ = from_server.read(&mut answered).await;
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(bytes @ 1..) = read else { return };
                tokio::time::sleep(delay).await;
                if to_client.write_all(&answered[..bytes]).await.is_err() {
                    return;
                }
            }
        }
    }
}
