//! A TCP proxy before Redis that makes the way there slow, loses a reply, swallows all that is asked, or lets
//! nobody new in.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use testkit::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Ends with the test's runtime.
pub struct Proxy {
    pub redis_url: String,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    cuts: AtomicBool,
    closed: AtomicBool,
    swallows: AtomicBool,
    resets: AtomicUsize,
}

impl Proxy {
    /// To this Redis, whose operator the clients are; each reply is held back for `delay`.
    pub async fn to(redis: &RedisServer, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let (redis_url, port) = (redis.url_at("operator", here).unwrap(), redis.port());
        let faults = Arc::new(Faults::default());
        let here = faults.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if here.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", port)).await;
                // A Redis that is away looks the same through the proxy: the connection ends.
                if let Ok(server) = server {
                    tokio::spawn(pass(client, server, delay, here.clone()));
                }
            }
        });
        Self { redis_url, faults }
    }

    /// Lets nobody new in; who is connected stays so.
    pub fn close(&self) {
        self.faults.closed.store(true, Ordering::SeqCst);
    }

    /// Swallows whatever is asked from now on.
    pub fn swallow(&self) {
        self.faults.swallows.store(true, Ordering::SeqCst);
    }

    /// How many connections their client has reset, so that nothing of theirs is on the way any more.
    pub fn resets(&self) -> usize {
        self.faults.resets.load(Ordering::SeqCst)
    }

    /// Lets the next call of the register function reach Redis, swallows the reply, and cuts the
    /// connection.
    pub fn cut_next_call(&self) {
        self.faults.cuts.store(true, Ordering::SeqCst);
    }

    /// Whether it was cut.
    pub fn has_cut(&self) -> bool {
        !self.faults.cuts.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: TcpStream, delay: Duration, faults: Arc<Faults>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset) {
                    faults.resets.fetch_add(1, Ordering::SeqCst);
                }
                let Ok(bytes @ 1..) = read else { return };
                if faults.swallows.load(Ordering::SeqCst) {
                    continue;
                }
                let asked = &asked[..bytes];
                let is_call = asked.windows(5).any(|word| word == b"FCALL");
                if to_server.write_all(asked).await.is_err() {
                    return;
                }
                if is_call && faults.cuts.swap(false, Ordering::SeqCst) {
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
