//! Rights and passwords that an operator changes while the services run.

use std::time::Duration;

use anyhow::Context as _;
use standalone::servers::random_secret;

use super::cure::{Cure, Injection};
use crate::testbed::{Testbed, kind_of, redis_password};

/// The time between the change of a password on the server and that in the files of the services.
const FILES_LATER: Duration = Duration::from_secs(1);

/// Takes a command away from a user of Redis. The target is `USER without COMMAND`.
pub(super) fn take_command(testbed: &Testbed, target: &'static str) -> anyhow::Result<Injection> {
    let (user, command) = target.split_once(" without ").context("the target names a command")?;
    testbed.redis.command(&["ACL", "SETUSER", user, &format!("-{command}")])?;
    Injection::by(Cure::RedisUsers)
}

/// Switches a user of Redis off, and ends its connections.
pub(super) fn switch_user_off(testbed: &Testbed, user: &'static str) -> anyhow::Result<Injection> {
    testbed.redis.command(&["ACL", "SETUSER", user, "off"])?;
    end_connections(testbed, user)?;
    Injection::by(Cure::RedisUsers)
}

/// Reads the users of Redis from their file again, as an operator does who has mended it.
pub(super) fn reload_users(testbed: &Testbed) -> anyhow::Result<()> {
    testbed.redis.command(&["ACL", "LOAD"])?;
    Ok(())
}

fn end_connections(testbed: &Testbed, user: &str) -> anyhow::Result<()> {
    testbed.redis.command(&["CLIENT", "KILL", "USER", user])?;
    Ok(())
}

/// Takes a right away from a role of Postgres. The target is `SERVICE without RIGHT ON TABLE`.
pub(super) async fn take_right(
    testbed: &Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let (service, right) = target.split_once(" without ").context("the target names a right")?;
    let revoke = format!("REVOKE {right} FROM votestream_{service}");
    testbed.sql().await?.batch_execute(&revoke).await?;
    Injection::by(Cure::PostgresRights)
}

/// Changes the password of a user of Redis, ends its connections, and writes the new one to the files of the services a
/// second later. The target is a kind of services.
pub(super) async fn rotate_in_redis(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let (user, password) = (user_of(testbed, target)?, random_secret());
    testbed.redis.command(&["ACL", "SETUSER", user, "resetpass", &format!(">{password}")])?;
    end_connections(testbed, user)?;
    testbed.pause(FILES_LATER).await?;
    testbed.write_urls(user, "redis", &password)?;
    Injection::by(Cure::RedisPassword(user))
}

/// Gives a user of Redis the usual password again, and lets the services have it before the other one ends.
pub(super) fn usual_in_redis(testbed: &Testbed, user: &str) -> anyhow::Result<()> {
    let password = redis_password(user);
    testbed.redis.command(&["ACL", "SETUSER", user, &format!(">{password}")])?;
    testbed.write_urls(user, "redis", &password)?;
    reload_users(testbed)?;
    end_connections(testbed, user)
}

/// Changes the password of a role of Postgres, ends its sessions, and writes the new one to the files of the services a
/// second later. The target is a kind of services.
pub(super) async fn rotate_in_postgres(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let (user, password) = (user_of(testbed, target)?, random_secret());
    set_role_password(testbed, user, &password).await?;
    testbed.pause(FILES_LATER).await?;
    testbed.write_urls(user, "postgres", &password)?;
    Injection::by(Cure::PostgresPassword(user))
}

/// Gives a role of Postgres the usual password again, in the server and in the files.
pub(super) async fn usual_in_postgres(testbed: &Testbed, user: &str) -> anyhow::Result<()> {
    let password = testbed.password.clone();
    testbed.write_urls(user, "postgres", &password)?;
    set_role_password(testbed, user, &password).await
}

async fn set_role_password(testbed: &Testbed, user: &str, password: &str) -> anyhow::Result<()> {
    let client = testbed.superuser().await?;
    let role = format!("votestream_{user}");
    client.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{password}'")).await?;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
    client.query(end, &[&role]).await?;
    Ok(())
}

/// Returns the user of a kind of services: `producer` for `producers`.
fn user_of(testbed: &mut Testbed, target: &str) -> anyhow::Result<&'static str> {
    let services = testbed.services_of(target)?;
    Ok(kind_of(services[0].name))
}
