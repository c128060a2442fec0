//! Loads libraries of functions into Redis.

use redis::{RedisError, Value};

use crate::redis::Connection;

/// Loads a library into the master that holds `key`, unless it has one of that `name`. Returns whether it was missing.
///
/// # Errors
/// Returns the error of the connection, or that with which Redis refuses the library.
pub async fn load_missing(
    connection: &mut Connection,
    key: &str,
    name: &str,
    text: &str,
) -> Result<bool, RedisError> {
    let list = redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(name).clone();
    let is_missing = match connection.query_at(key, &list).await? {
        Value::Array(libraries) => libraries.is_empty(),
        _ => true,
    };
    if is_missing {
        let load = redis::cmd("FUNCTION").arg("LOAD").arg(text).clone();
        match connection.query_at(key, &load).await {
            // Somebody else loaded it meanwhile.
            Err(error) if error.to_string().contains("already exists") => return Ok(false),
            outcome => outcome?,
        };
    }
    Ok(is_missing)
}
