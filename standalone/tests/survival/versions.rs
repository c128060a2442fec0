//! Two versions side by side: today's programs run on the expanded schema of a later release.

use tokio_postgres::NoTls;
use votestream_loadtest::Stop;

use crate::deployment::{Deployment, drive, expect_kept};

/// The changes that an expanding migration may make: a further column in every table, with a default or without, a
/// further table, and a further index.
const EXPAND: &str = "
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
        LOOP
            EXECUTE format('ALTER TABLE %I ADD COLUMN future text', name);
            EXECUTE format('ALTER TABLE %I ADD COLUMN weight integer NOT NULL DEFAULT 1', name);
        END LOOP;
    END $$;
    CREATE TABLE future (id integer PRIMARY KEY);
    CREATE INDEX future_votes ON votes (weight);
    INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'future', 'future');";

#[tokio::test(flavor = "multi_thread")]
async fn todays_programs_work_on_a_schema_that_was_expanded() {
    let deployment = Deployment::on(&testkit::redis(), &[]).await;
    let (client, connection) =
        tokio_postgres::connect(&deployment.database_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(EXPAND).await.unwrap();
    deployment.votectl(&["migrate"]);
    let more = ["poll", "create", "--slug", "more", "--title", "More?", "--open"];
    deployment.votectl(&[more.as_slice(), &["--option", "a", "--option", "b"]].concat());
    let _consumer = deployment.started("consumer").await;
    let producer = deployment.started("producer").await;
    let dashboard = deployment.started("dashboard").await;
    let load = deployment.load(producer.port, Some(dashboard.port), 200.0, 1.0);
    expect_kept(&drive(load, Stop::default()).await);
    deployment.votectl(&["poll", "close", "more"]);
    deployment.votectl(&["audit"]);
}
