//! One command over a connection of its own.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::RedisOptions;
use crate::servers::Error;

const REPLY_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn command(options: &RedisOptions, port: u16, words: &[&str]) -> Result<String, Error> {
    let talk = || -> std::io::Result<Result<String, String>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(REPLY_WITHIN))?;
        let mut replies = BufReader::new(stream.try_clone()?);
        if let Some(user) = options.users.first() {
            stream.write_all(&encode(&["AUTH", &user.name, &user.password]))?;
            if let Err(refusal) = read_reply(&mut replies)? {
                return Ok(Err(refusal));
            }
        }
        stream.write_all(&encode(words))?;
        read_reply(&mut replies)
    };
    talk()
        .map_err(Error::io(format!("ask {} on port {port}", options.name)))?
        .map_err(|reply| Error::Refused { name: options.name.clone(), reply })
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// One RESP2 reply as text; the inner error is Redis' own.
fn read_reply(replies: &mut impl BufRead) -> std::io::Result<Result<String, String>> {
    let mut line = String::new();
    replies.read_line(&mut line)?;
    let line = line.trim_end();
    let invalid = || std::io::Error::new(std::io::ErrorKind::InvalidData, "not a Redis reply");
    let (kind, rest) = line.split_at_checked(1).ok_or_else(invalid)?;
    let length = || rest.parse::<i64>().map_err(|_| invalid());
    match kind {
        "+" | ":" => Ok(Ok(rest.to_owned())),
        "-" => Ok(Err(rest.to_owned())),
        "$" => {
            let Ok(length) = usize::try_from(length()?) else { return Ok(Ok(String::new())) };
            let mut bytes = vec![0; length + 2];
            replies.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..length()? {
                items.push(read_reply(replies)?);
            }
            let items: Result<Vec<String>, String> = items.into_iter().collect();
            Ok(items.map(|items| items.join("\n")))
        }
        _ => Err(invalid()),
    }
}
