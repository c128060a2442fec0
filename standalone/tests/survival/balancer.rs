//! A plain TCP load balancer. It forwards connections to replicas whose `/readyz` answers 200, and knows nothing of
//! HTTP requests.
//!
//! It does not try another replica after a refused connection: that would hide a replica which closes its listener
//! too early.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::deployment::{Replica, readiness};

const CHECK_EVERY: Duration = Duration::from_millis(100);

/// A load balancer in front of some replicas. It is cheap to clone, and runs until the test ends.
#[derive(Clone)]
pub struct Balancer {
    pub port: u16,
    backends: Arc<Mutex<Vec<Backend>>>,
    refused: Arc<AtomicU64>,
}

struct Backend {
    port: u16,
    admin_port: u16,
    ready: bool,
    taken: u64,
}

impl Balancer {
    /// Listens on a free port, without any replica.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let balancer = Self { port, backends: Arc::default(), refused: Arc::default() };
        tokio::spawn(balancer.clone().check());
        tokio::spawn(balancer.clone().accept(listener));
        balancer
    }

    /// Adds a replica, whose readiness is checked from now on.
    pub fn add(&self, service: &Replica) {
        let (port, admin_port) = (service.port, service.admin_port);
        let backend = Backend { port, admin_port, ready: false, taken: 0 };
        self.backends.lock().unwrap().push(backend);
    }

    /// Whether the balancer sends connections to this replica at the moment.
    pub fn sends_to(&self, port: u16) -> bool {
        self.backends.lock().unwrap().iter().any(|backend| backend.port == port && backend.ready)
    }

    /// Returns the number of connections that this replica was given.
    pub fn taken_by(&self, port: u16) -> u64 {
        let backends = self.backends.lock().unwrap();
        backends.iter().filter(|backend| backend.port == port).map(|backend| backend.taken).sum()
    }

    /// Returns the number of connections that no replica accepted.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn check(self) {
        loop {
            let admin_ports: Vec<u16> =
                self.backends.lock().unwrap().iter().map(|backend| backend.admin_port).collect();
            for admin_port in admin_ports {
                let ready = readiness(admin_port).await == Some(200);
                let mut backends = self.backends.lock().unwrap();
                backends.iter_mut().filter(|b| b.admin_port == admin_port).for_each(|b| {
                    b.ready = ready;
                });
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((mut client, _)) = listener.accept().await {
            let balancer = self.clone();
            tokio::spawn(async move {
                let Some(port) = balancer.choose() else { return };
                match TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(mut server) => {
                        let _ = (client.set_nodelay(true), server.set_nodelay(true));
                        // Either side may end the connection, also with an error.
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                    Err(_) => drop(balancer.refused.fetch_add(1, Ordering::Relaxed)),
                }
            });
        }
    }

    /// Returns the port of the ready replica that was given the fewest connections.
    fn choose(&self) -> Option<u16> {
        let mut backends = self.backends.lock().unwrap();
        let chosen = backends.iter_mut().filter(|backend| backend.ready).min_by_key(|b| b.taken);
        let Some(backend) = chosen else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        backend.taken += 1;
        Some(backend.port)
    }
}
