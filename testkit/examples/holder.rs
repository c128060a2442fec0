//! Starts a Redis, a Postgres and a browser of the test kit and waits until it is killed. The test `leaves_nothing`
//! runs and kills it.

use testkit::{Browser, BrowserOptions, database, folder, own_redis};

#[tokio::main]
async fn main() {
    let _redis = own_redis();
    let _database = database().await;
    let _browser = Browser::start(BrowserOptions::default()).await;
    let folder = folder("held");
    println!("{}", folder.parent().expect("a home").display());
    std::future::pending::<()>().await;
}
