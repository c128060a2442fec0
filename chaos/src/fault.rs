//! The faults: what each does, what is expected, and what is not promised.
//!
//! The table is the one source of `--list` and of the report.
//! Absent on purpose: how they are brought about; that is `inject`'s.

use std::fmt;
use std::str::FromStr;

/// Where a fault strikes. Two faults are only mixed when they strike in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A service's process.
    Service,
    /// The network between services and servers.
    Network,
    /// Redis' process or memory.
    Redis,
    /// What lies in Redis.
    Stream,
    /// Postgres.
    Postgres,
    /// The votes themselves: not a fault, but fraud that the audit has to find.
    Sabotage,
}

/// One fault's entry in the table.
#[derive(Debug)]
struct Entry {
    name: &'static str,
    place: Place,
    /// Whom it may strike; one of them is drawn.
    targets: &'static [&'static str],
    /// Shortest and longest time until it is healed, in seconds.
    hold_s: (f64, f64),
    what: &'static str,
    expected: &'static str,
    not_promised: &'static str,
}

const PRODUCERS: &[&str] = &["producer-1", "producer-2"];
const CONSUMERS: &[&str] = &["consumer-1", "consumer-2"];
const CONSUMERS_OR_BOTH: &[&str] = &["consumer-1", "consumer-2", "consumers"];
const PRODUCERS_OR_BOTH: &[&str] = &["producer-1", "producer-2", "producers"];
const DASHBOARD: &[&str] = &["dashboard"];
const REDIS: &[&str] = &["redis"];
const POSTGRES: &[&str] = &["postgres"];
const STREAMS: &[&str] = &["all partitions"];
/// Pairs, each with a proxy of its own; a plural takes all of its kind.
const LINKS: &[&str] = &[
    "producer-1 > redis",
    "producers > redis",
    "consumer-1 > redis",
    "consumers > redis",
    "consumer-1 > postgres",
    "consumers > postgres",
    "dashboard > postgres",
];

macro_rules! faults {
    ($($variant:ident: $name:literal, $place:ident, $targets:expr, $hold:expr,
        $what:literal, $expected:literal, $not_promised:literal;)*) => {
        /// Something that goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $what] $variant,)*
        }

        impl Fault {
            /// All of them, sabotage at the end.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => {
                        const ENTRY: Entry = Entry {
                            name: $name, place: Place::$place, targets: $targets, hold_s: $hold,
                            what: $what, expected: $expected, not_promised: $not_promised,
                        };
                        &ENTRY
                    })*
                }
            }
        }
    };
}

faults! {
    KillProducer: "kill-producer", Service, PRODUCERS_OR_BOTH, (1.0, 3.0),
        "kill -9 of one producer or of both; started again as a supervisor would",
        "the other one answers; ballots in hand have no answer",
        "an answer to a ballot that was in hand";
    KillConsumer: "kill-consumer", Service, CONSUMERS_OR_BOTH, (1.0, 3.0),
        "kill -9 of one consumer or of both; started again as a supervisor would",
        "nobody who votes notices; what was in hand is claimed after CLAIM_IDLE_MS",
        "that votes held by the dead one are on screen before CLAIM_IDLE_MS";
    KillDashboard: "kill-dashboard", Service, DASHBOARD, (1.0, 3.0),
        "kill -9 of the dashboard; started again as a supervisor would",
        "viewers come back by themselves and get the full state",
        "results while the only dashboard is down";
    FreezeProducer: "freeze-producer", Service, PRODUCERS, (4.0, 6.0),
        "SIGSTOP of a producer, SIGCONT later",
        "what it holds is answered late, or not at all; a late yes is true all the same",
        "an answer from a frozen process";
    FreezeConsumer: "freeze-consumer", Service, CONSUMERS, (4.0, 7.0),
        "SIGSTOP of a consumer for longer than the claim time, SIGCONT later",
        "the other one takes over what it held; what it does after it thaws changes nothing",
        "nothing is left out";
    FreezeDashboard: "freeze-dashboard", Service, DASHBOARD, (3.0, 6.0),
        "SIGSTOP of the dashboard, SIGCONT later",
        "viewers see nothing new, then the newest state; nothing was queued for them",
        "the frames in between";
    CrashOnStart: "crash-on-start", Service, CONSUMERS, (4.0, 6.0),
        "a consumer that is started again and again and always ends at once",
        "the other one counts alone",
        "nothing is left out";
    ClockJump: "clock-jump", Service, &["producer-1", "consumer-1"], (5.0, 7.0),
        "the wall clock as a service sees it (libfaketime) jumps an hour ahead, then an hour back",
        "no difference: time is decided by Redis, and waits by the monotonic clock",
        "true times in that service's logs and metrics";
    NetCut: "net-cut", Network, LINKS, (3.0, 6.0),
        "nothing passes in either direction; what was held back arrives at the end",
        "time-outs, then 503 or waiting; late arrivals change nothing",
        "an answer before the time-out";
    NetCutTo: "net-cut-to-server", Network, LINKS, (3.0, 6.0),
        "one-way cut: requests do not reach the server, until the end",
        "as net-cut; the requests that arrive late are harmless",
        "an answer before the time-out";
    NetCutFrom: "net-cut-from-server", Network, LINKS, (3.0, 6.0),
        "one-way cut: requests reach the server, answers do not come back",
        "503 for ballots that may be stored all the same; commits whose answer is lost are not repeated",
        "that a ballot answered with 503 is not counted";
    NetDelay: "net-delay", Network, LINKS, (3.0, 6.0),
        "every piece is 100 ms late in each direction",
        "slower, and nothing else",
        "latency";
    NetReset: "net-reset", Network, LINKS, (2.0, 4.0),
        "every connection ends with a RST, and every new one at once",
        "503 or waiting; new connections as soon as there are any",
        "an answer for what was under way";
    NetHalfOpen: "net-half-open", Network, LINKS, (3.0, 6.0),
        "the server's ends of all connections vanish without a word; new connections pass",
        "time-outs find it out; the dead connections are thrown away",
        "an answer before the time-out";
    RedisKill: "redis-kill", Redis, REDIS, (1.0, 4.0),
        "kill -9 of Redis (appendfsync always), started again with its file",
        "503 with Retry-After while it is away; all that was acknowledged is in the file",
        "storing without Redis";
    RedisFreeze: "redis-freeze", Redis, REDIS, (3.0, 6.0),
        "SIGSTOP of Redis, SIGCONT later: connections stay open and nothing answers",
        "503 after a time-out; what Redis does when it thaws is harmless",
        "that a ballot answered with 503 is not counted";
    RedisFull: "redis-full", Redis, REDIS, (2.0, 5.0),
        "maxmemory is hit, under noeviction",
        "503 with Retry-After; the backlog is counted meanwhile",
        "storing without room";
    RedisDiskFull: "redis-disk-full", Redis, REDIS, (2.0, 5.0),
        "the disk with Redis' append-only file is full; Redis ends by itself, and is started again and again",
        "503 with Retry-After; what was acknowledged is in the file",
        "storing without room";
    RedisPromote: "redis-promote", Redis, REDIS, (1.0, 3.0),
        "under DURABILITY=replicated: the replica freezes for a while, the master dies for good, the \
         replica is promoted under the same address",
        "503 while the replica does not confirm; nothing that was acknowledged is lost; what the new master does not know was \
         counted is counted again, which changes nothing",
        "votectl's balance of accepted and counted: the counters of the dead master are gone. Under \
         DURABILITY=memory or fsync, whatever the replica had not got yet";
    PostgresKill: "postgres-kill", Postgres, POSTGRES, (1.0, 4.0),
        "kill -9 of Postgres' main process, started again",
        "ballots are taken all the while and counted afterwards; results are marked stale",
        "new results meanwhile";
    PostgresImmediate: "postgres-immediate", Postgres, POSTGRES, (1.0, 4.0),
        "immediate shutdown of Postgres (SIGQUIT), started again with crash recovery",
        "as postgres-kill",
        "new results meanwhile";
    PostgresMidCommit: "postgres-mid-commit", Postgres, POSTGRES, (1.0, 3.0),
        "kill -9 of Postgres while a consumer's COMMIT is seen under way",
        "the batch is counted once, whether or not that commit had reached the disk",
        "new results meanwhile";
    PostgresFreeze: "postgres-freeze", Postgres, POSTGRES, (3.0, 6.0),
        "SIGSTOP of Postgres and its sessions, SIGCONT later",
        "consumers give up on their sessions; what those do when they thaw changes nothing",
        "new results meanwhile";
    PostgresLock: "postgres-lock", Postgres, POSTGRES, (3.0, 6.0),
        "somebody holds an exclusive lock on the table of votes",
        "ballots are taken and wait; nothing becomes a dead letter",
        "new results meanwhile";
    PostgresCrowded: "postgres-crowded", Postgres, POSTGRES, (3.0, 6.0),
        "the services' sessions are ended, and others take every free one (max_connections)",
        "ballots are taken and wait; the services come back when there is room",
        "new results meanwhile";
    PostgresDiskFull: "postgres-disk-full", Postgres, POSTGRES, (2.0, 5.0),
        "Postgres' disk is full; if Postgres ends, it is started again and again",
        "ballots are taken and wait; nothing becomes a dead letter",
        "new results meanwhile";
    PostgresFailover: "postgres-failover", Postgres, POSTGRES, (1.0, 3.0),
        "the synchronous standby freezes for a while, the primary dies for good, the standby is \
         promoted under the same address",
        "votes are counted once; commits wait while the standby does",
        "new results meanwhile; anything at all when the standby is asynchronous";
    GroupDeleted: "group-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator destroys the consumer group of every stream while ballots flow",
        "the consumers make it anew from the first entry; what was counted already stays counted once",
        "nothing is left out: entries leave the stream only once they are counted";
    RegisterDeleted: "register-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator deletes the register of who voted while ballots flow",
        "who votes again is accepted again, and set aside: counted once",
        "\"you have already voted\" for those who voted before";
    StreamDeleted: "stream-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator deletes every stream, once it is drained: voters are held off at the door meanwhile",
        "streams and groups are made anew",
        "ballots that are acknowledged and not counted yet when somebody deletes their stream: they are gone";
    Replay: "replay", Stream, STREAMS, (1.0, 2.0),
        "every ballot of the run so far is appended to the streams again, half of them as new entries",
        "nothing changes",
        "nothing is left out";
    Poison: "poison", Stream, STREAMS, (3.0, 5.0),
        "one entry in a hundred, and a burst of fifty, is no ballot",
        "each becomes a dead letter, and no other entry does",
        "nothing is left out";
    StealVote: "steal-vote", Sabotage, POSTGRES, (0.5, 0.5),
        "sabotage: a counted vote is deleted, and the tally with it",
        "the audit names one lost voter: exit code 2",
        "";
    StealEntry: "steal-entry", Sabotage, STREAMS, (0.5, 0.5),
        "sabotage: an acknowledged ballot is removed from its stream before it is counted",
        "the audit names one lost voter: exit code 2",
        "";
    ForgeVote: "forge-vote", Sabotage, POSTGRES, (0.5, 0.5),
        "sabotage: a vote that nobody cast appears, and the tally with it",
        "the audit names one phantom: exit code 2",
        "";
    StuffTally: "stuff-tally", Sabotage, POSTGRES, (0.5, 0.5),
        "sabotage: the tally counts one voter twice",
        "the audit finds one duplicate: exit code 2",
        "";
}

impl Fault {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Where it strikes.
    pub fn place(self) -> Place {
        self.entry().place
    }

    /// Whom it may strike.
    pub fn targets(self) -> &'static [&'static str] {
        self.entry().targets
    }

    /// Shortest and longest time until it is healed, in seconds.
    pub fn hold_s(self) -> (f64, f64) {
        self.entry().hold_s
    }

    /// What it does.
    pub fn what(self) -> &'static str {
        self.entry().what
    }

    /// What the services are expected to do.
    pub fn expected(self) -> &'static str {
        self.entry().expected
    }

    /// What nobody promises.
    pub fn not_promised(self) -> &'static str {
        self.entry().not_promised
    }

    /// Whether both may strike at once: in different places, and neither needs to be brought about
    /// what the other one takes away.
    pub(crate) fn mixes_with(self, other: Self) -> bool {
        use Place::{Network, Postgres, Redis, Service};
        let alone = |fault| {
            use Fault::{ClockJump, PostgresFailover, RedisPromote, StreamDeleted};
            matches!(fault, ClockJump | PostgresFailover | RedisPromote | StreamDeleted)
        };
        let (one, two) = (self.place(), other.place());
        let near = |place| matches!(place, Service | Network);
        let servers = matches!((one, two), (Redis, Postgres) | (Postgres, Redis));
        one != two && !alone(self) && !alone(other) && (near(one) || near(two) || servers)
    }

    /// Whether it needs servers on small disks of their own.
    pub(crate) fn needs_small_disk(self) -> bool {
        matches!(self, Self::RedisDiskFull | Self::PostgresDiskFull)
    }

    /// All but sabotage, which is done on request only.
    pub fn real() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|fault| fault.place() != Place::Sabotage).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|fault| fault.name() == text);
        found.ok_or_else(|| format!("no fault is called `{text}`; --list names all"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            assert!(!fault.targets().is_empty() && fault.hold_s().0 <= fault.hold_s().1);
        }
        assert!(Fault::from_str("no-such").is_err());
    }

    #[test]
    fn the_readme_tells_of_every_fault() {
        let readme = include_str!("../README.md");
        for fault in Fault::ALL {
            assert!(readme.contains(&format!("`{fault}`")), "chaos/README.md: {fault}");
        }
    }
}
