//! The functions that Redis runs for the producer.
//!
//! A producer may not send scripts to Redis: a stolen login could stop Redis with one that never ends. So its scripts are
//! functions of a library, which `votectl migrate` and the consumers load. Redis keeps libraries on its disk and copies
//! them to its replicas.
//!
//! The name of the library, and of each function in it, ends in a digest of the library's text. So producers of two
//! releases each find their own functions during an update, and a library that is there is never replaced. A library
//! holds about 8 KiB; those of earlier releases stay until an operator removes them (`FUNCTION DELETE`).
//!
//! Everything here is text; the caller sends it.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::codec;
use crate::poll::stored_voter_policy::StoredVoterPolicy;
use crate::poll::{VotePolicy, VoterPolicy};

/// Hexadecimal digits of the digest in a name.
const DIGEST_DIGITS: usize = 16;

/// Digits at the end of a ballot's id that tell it from the voter's other ballots.
const TAG_DIGITS: usize = 8;
const _: () = assert!(TAG_DIGITS <= codec::ID_DIGITS, "the tag is a part of the ballot's id");

/// A library of Redis functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The name under which Redis keeps it.
    pub name: String,
    /// The text that Redis loads.
    pub text: String,
    /// The name of the function that registers ballots and appends them to a stream: `register.lua`.
    pub register: String,
    /// The name of the function that takes new voters out of the limits of networks: `networks.lua`.
    pub networks: String,
}

/// Returns the library of this release's producers.
pub fn library() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
        let functions = [
            constants(),
            function("register", include_str!("../lua/register.lua")),
            function("networks", include_str!("../lua/networks.lua")),
        ];
        let functions = functions.join("\n");
        let digest = Sha256::digest(functions.as_bytes());
        let mut digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.truncate(DIGEST_DIGITS);
        let name = format!("votestream_{digits}");
        let [register, networks] =
            ["register", "networks"].map(|function| format!("votestream_{function}_{digits}"));
        let text = format!(
            "#!lua name={name}\n{functions}\n\
             redis.register_function('{register}', register)\n\
             redis.register_function('{networks}', networks)\n"
        );
        Library { name, text, register, networks }
    });
    &LIBRARY
}

/// Makes a Lua function from the text of a script, which reads `KEYS` and `ARGV`.
fn function(name: &str, script: &str) -> String {
    format!("local function {name}(KEYS, ARGV)\n{script}\nend")
}

/// The values that Rust alone decides: the meaning of each policy, and where the parts of a ballot stand.
fn constants() -> String {
    let table = |entries: Vec<String>| format!("{{ {} }}", entries.join(", "));
    let replaces = VotePolicy::ALL.iter().map(|policy| format!("{policy} = {}", policy.replaces()));
    let voters = VoterPolicy::ALL
        .iter()
        .flat_map(|&policy| [false, true].map(|is_keyed| StoredVoterPolicy { policy, is_keyed }));
    let needs_code = voters.map(|stored| format!("{stored} = {}", stored.policy.needs_code()));
    format!(
        "local REPLACES, NEEDS_CODE = {}, {}; \
         local BEFORE_CHOICES_BYTES, AFTER_CHOICES_BYTES, TAG_DIGITS = {}, {}, {TAG_DIGITS}",
        table(replaces.collect()),
        table(needs_code.collect()),
        codec::BEFORE_CHOICES_BYTES,
        codec::AFTER_CHOICES_BYTES,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_given_the_meaning_of_every_policy() {
        let constants = constants();
        for policy in VotePolicy::ALL {
            let entry = format!("{policy} = {}", policy.replaces());
            assert!(constants.contains(&entry), "{constants}");
        }
        for policy in VoterPolicy::ALL {
            for word in [policy.to_string(), format!("keyed_{policy}")] {
                let entry = format!("{word} = {}", policy.needs_code());
                assert!(constants.contains(&entry), "{constants}");
            }
            // Only the constants name a policy: the script looks it up.
            let script = include_str!("../lua/register.lua");
            assert!(!script.contains(&format!("'{policy}'")), "{policy}");
        }
        assert!(constants.ends_with("TAG_DIGITS = 3, 66, 8"), "{constants}");
    }

    #[test]
    fn the_names_of_a_library_follow_from_its_text() {
        let Library { name, text, register, networks } = library();
        let digits = name.strip_prefix("votestream_").unwrap();
        assert!(
            digits.len() == DIGEST_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        );
        assert_eq!(register.strip_prefix("votestream_register_"), Some(digits));
        assert_eq!(networks.strip_prefix("votestream_networks_"), Some(digits));
        assert!(text.starts_with(&format!("#!lua name={name}\nlocal REPLACES")), "{text}");
        for (name, function) in [(register, "register"), (networks, "networks")] {
            assert!(text.contains(&format!("redis.register_function('{name}', {function})\n")));
        }
    }
}
