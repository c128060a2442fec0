//! Sends one command to Redis over a connection of its own.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::options::RedisOptions;
use crate::servers::Error;

const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// A reply of Redis in the protocol RESP2.
enum Reply {
    /// The value as text, with each item of an array on a line.
    Value(String),
    /// The text of an error that Redis sent.
    Error(String),
}

/// Logs in as the first user of the options, sends a command and returns the reply.
pub(super) fn command(options: &RedisOptions, port: u16, words: &[&str]) -> Result<String, Error> {
    let exchange = || -> std::io::Result<Reply> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(REPLY_WITHIN))?;
        let mut replies = BufReader::new(stream.try_clone()?);
        if let Some(user) = options.users.first() {
            stream.write_all(&encode(&["AUTH", &user.name, &user.password]))?;
            if let refused @ Reply::Error(_) = read_reply(&mut replies)? {
                return Ok(refused);
            }
        }
        stream.write_all(&encode(words))?;
        read_reply(&mut replies)
    };
    let reply = exchange();
    match reply.map_err(Error::io(format!("query {} on port {port}", options.name)))? {
        Reply::Value(value) => Ok(value),
        Reply::Error(reply) => Err(Error::Refused { name: options.name.clone(), reply }),
    }
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// Reads one reply.
///
/// # Errors
/// Returns an error if the connection breaks or the bytes are no RESP2 reply.
fn read_reply(replies: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    replies.read_line(&mut line)?;
    let line = line.trim_end();
    let invalid = || std::io::Error::new(std::io::ErrorKind::InvalidData, "not a Redis reply");
    let (kind, rest) = line.split_at_checked(1).ok_or_else(invalid)?;
    let length = || rest.parse::<i64>().map_err(|_| invalid());
    match kind {
        "+" | ":" => Ok(Reply::Value(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        "$" => {
            // A length of -1 stands for a missing value.
            let Ok(length) = usize::try_from(length()?) else {
                return Ok(Reply::Value(String::new()));
            };
            let mut bytes = vec![0; length + 2];
            replies.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Reply::Value(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => {
            let mut items = Vec::new();
            let mut error = None;
            for _ in 0..length()? {
                match read_reply(replies)? {
                    Reply::Value(item) => items.push(item),
                    Reply::Error(text) => error = error.or(Some(text)),
                }
            }
            Ok(error.map_or_else(|| Reply::Value(items.join("\n")), Reply::Error))
        }
        _ => Err(invalid()),
    }
}
