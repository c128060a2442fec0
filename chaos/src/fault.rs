//! The faults: the effect of each, the expected behaviour of the services, and the limits of their promise.
//!
//! The table in this module is the only source of `--list` and of the texts in the report.
//! Absent on purpose: the code that injects faults, which is in `inject`.

use std::fmt;
use std::str::FromStr;

/// The place in which a fault strikes. Two faults strike at the same time only in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The process of a service.
    Service,
    /// The network between a service and a server.
    Network,
    /// The process, the memory or the disk of Redis.
    Redis,
    /// The data in Redis: streams, groups and the register.
    Stream,
    /// The process, the locks or the disk of Postgres.
    Postgres,
    /// The votes themselves. Sabotage is no fault, but a fraud that the audit must find.
    Sabotage,
}

/// The entry of one fault in the table.
#[derive(Debug)]
struct Entry {
    name: &'static str,
    place: Place,
    /// The processes or links that it may strike. One of them is drawn.
    targets: &'static [&'static str],
    /// The shortest and the longest time until it is healed, in seconds.
    hold_s: (f64, f64),
    description: &'static str,
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
/// Links between a service and a server, each with a proxy of its own. A plural stands for all services of a kind.
const LINKS: &[&str] = &[
    "producer-1 > redis",
    "producers > redis",
    "consumer-1 > redis",
    "consumers > redis",
    "consumer-1 > postgres",
    "consumers > postgres",
    "dashboard > postgres",
];

/// Commands that an operator takes away from a user of Redis.
const COMMANDS: &[&str] = &[
    "producer without xadd",
    "producer without fcall",
    "consumer without xreadgroup",
    "consumer without xack",
];
/// Rights that an operator takes away from a role of Postgres.
const RIGHTS: &[&str] = &[
    "consumer without INSERT ON votes",
    "consumer without UPDATE ON watermarks",
    "dashboard without SELECT ON tally",
];

macro_rules! faults {
    ($($variant:ident: $name:literal, $place:ident, $targets:expr, $hold:expr,
        $description:literal, $expected:literal, $not_promised:literal;)*) => {
        /// A fault that can be injected.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $description] $variant,)*
        }

        impl Fault {
            /// All faults, with sabotage at the end.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => {
                        const ENTRY: Entry = Entry {
                            name: $name, place: Place::$place, targets: $targets, hold_s: $hold,
                            description: $description, expected: $expected, not_promised: $not_promised,
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
        "the other one answers; ballots that it had read get no answer",
        "an answer to a ballot that the killed producer had read";
    KillConsumer: "kill-consumer", Service, CONSUMERS_OR_BOTH, (1.0, 3.0),
        "kill -9 of one consumer or of both; started again as a supervisor would",
        "voters do not notice; the other consumer claims its entries after CLAIM_IDLE_MS",
        "that the results show the dead consumer's entries before CLAIM_IDLE_MS";
    KillDashboard: "kill-dashboard", Service, DASHBOARD, (1.0, 3.0),
        "kill -9 of the dashboard; started again as a supervisor would",
        "viewers reconnect by themselves and get the full state",
        "results while the only dashboard is down";
    FreezeProducer: "freeze-producer", Service, PRODUCERS, (4.0, 6.0),
        "SIGSTOP of a producer, SIGCONT later",
        "its ballots are answered late or not at all; a late acknowledgement is true",
        "an answer from a frozen process";
    FreezeConsumer: "freeze-consumer", Service, CONSUMERS, (4.0, 7.0),
        "SIGSTOP of a consumer for longer than the claim time, SIGCONT later",
        "the other one takes over its entries; writes of the thawed consumer change nothing",
        "everything is promised";
    FreezeAtClose: "freeze-at-close", Service, CONSUMERS_OR_BOTH, (4.0, 7.0),
        "SIGSTOP of one consumer or of both shortly before a poll closes, SIGCONT later",
        "the poll is not called final before its last ballot is counted",
        "that the result is final while both are frozen";
    FreezeDashboard: "freeze-dashboard", Service, DASHBOARD, (3.0, 6.0),
        "SIGSTOP of the dashboard, SIGCONT later",
        "viewers see nothing new, and then the newest state; no frames were queued for them",
        "the frames in between";
    FreezeAll: "freeze-all", Service, &["producers", "consumers", "dashboard"], (16.0, 40.0),
        "SIGSTOP of all replicas of a service, for longer than the overview may take to show it; SIGCONT later",
        "no figure of the overview looks well while the service behind it is silent; late acknowledgements are true",
        "answers, new results or final results while every replica is frozen";
    CrashOnStart: "crash-on-start", Service, CONSUMERS, (4.0, 6.0),
        "a consumer ends immediately after each of its restarts",
        "the other consumer counts all votes",
        "everything is promised";
    ClockJump: "clock-jump", Service, &["producer-1", "consumer-1"], (5.0, 7.0),
        "the wall clock as a service sees it (libfaketime) jumps an hour ahead, then an hour back",
        "no difference: Redis decides the time of a ballot, and waits use the monotonic clock",
        "correct times in the logs and metrics of this service";
    NetCut: "net-cut", Network, LINKS, (3.0, 6.0),
        "no bytes pass in either direction; those that were held back arrive at the end",
        "time-outs, then 503 or waiting; late arrivals change nothing",
        "an answer before the time-out";
    NetCutTo: "net-cut-to-server", Network, LINKS, (3.0, 6.0),
        "one-way cut: requests reach the server only at the end of the fault",
        "as net-cut; requests that arrive late are harmless",
        "an answer before the time-out";
    NetCutFrom: "net-cut-from-server", Network, LINKS, (3.0, 6.0),
        "one-way cut: requests reach the server, answers do not come back",
        "503 for ballots that may be stored nevertheless; a commit whose answer is lost is not repeated",
        "that a ballot answered with 503 is not counted";
    NetDelay: "net-delay", Network, LINKS, (3.0, 6.0),
        "all bytes are 100 ms late in each direction",
        "everything works, only slower",
        "latency";
    NetReset: "net-reset", Network, LINKS, (2.0, 4.0),
        "every connection ends with a TCP reset, new ones as soon as they are open",
        "503 or waiting; the services reconnect as soon as they can",
        "an answer to requests that were in flight";
    NetHalfOpen: "net-half-open", Network, LINKS, (3.0, 6.0),
        "the server's end of all connections vanishes silently; new connections work",
        "time-outs detect the dead connections, which are discarded",
        "an answer before the time-out";
    RedisKill: "redis-kill", Redis, REDIS, (1.0, 4.0),
        "kill -9 of Redis (appendfsync always), started again with its append-only file",
        "503 with Retry-After while Redis is down; the file has every acknowledged ballot",
        "that ballots are stored without Redis";
    RedisFreeze: "redis-freeze", Redis, REDIS, (3.0, 6.0),
        "SIGSTOP of Redis, SIGCONT later: connections stay open and nothing answers",
        "503 after a time-out; commands that Redis executes when it thaws are harmless",
        "that a ballot answered with 503 is not counted";
    RedisFull: "redis-full", Redis, REDIS, (2.0, 5.0),
        "Redis reaches its maxmemory, with the policy noeviction",
        "503 with Retry-After; waiting ballots are counted meanwhile",
        "that ballots are stored without room";
    RedisDiskFull: "redis-disk-full", Redis, REDIS, (2.0, 5.0),
        "the disk with the append-only file of Redis is full; Redis ends, and is restarted until it runs",
        "503 with Retry-After; the file has every acknowledged ballot",
        "that ballots are stored without room";
    RedisPromote: "redis-promote", Redis, REDIS, (1.0, 3.0),
        "with DURABILITY=replicated: the replica freezes for 3 s, the master dies for good, and the \
         replica is promoted under the same address",
        "503 while the replica does not confirm; no acknowledged ballot is lost; entries whose removal the new master missed \
         are counted again, which changes nothing",
        "that `votectl audit` balances, because the counters of the dead master are lost; with \
         DURABILITY=memory or fsync, also ballots that had not reached the replica";
    RedisFileOff: "redis-file-off", Redis, REDIS, (4.0, 6.0),
        "an operator sets appendonly to no, and back",
        "503 once the producers have noticed, until the file is proved to be in effect again",
        "with a Redis before 7.2, ballots of the first 3 s if Redis dies before the file is in effect again";
    RedisFlushLate: "redis-flush-late", Redis, &["appendfsync no", "appendfsync everysec"], (4.0, 6.0),
        "an operator sets appendfsync to another value than always, and back",
        "503 once the producers have noticed; from Redis 7.2 on everysec is proved for each batch, only later",
        "with a Redis before 7.2, ballots of the first 3 s if its machine dies";
    RedisOutputLimit: "redis-output-limit", Redis, REDIS, (4.0, 6.0),
        "entries gather, and client-output-buffer-limit ends every connection with a large reply",
        "the consumers read less at a time and count all ballots",
        "everything is promised";
    RedisRightLost: "redis-right-lost", Redis, COMMANDS, (3.0, 5.0),
        "a user of Redis may not call a command any more; an operator mends the file of users and loads it",
        "503 or waiting; nothing becomes a dead letter",
        "that ballots are stored or counted meanwhile";
    RedisUserOff: "redis-user-off", Redis, &["producer", "consumer"], (3.0, 5.0),
        "a user of Redis is switched off and its connections end; an operator mends the file of users and loads it",
        "503 or waiting; the services log in as soon as they can",
        "that ballots are stored or counted meanwhile";
    RedisPassword: "redis-password", Redis, &["producers", "consumers"], (2.0, 4.0),
        "the password of a user of Redis changes, a second later the file of the services; then both change back",
        "503 or waiting for a second; the services read their file again for each new connection",
        "an answer while the file has another password than Redis";
    PostgresSlowRows: "postgres-slow-rows", Postgres, POSTGRES, (4.0, 6.0),
        "each row takes so long that a batch exceeds the statement time-out",
        "the consumers count in smaller parts, and go on",
        "that the results keep up meanwhile";
    PostgresCancel: "postgres-cancel", Postgres, POSTGRES, (3.0, 5.0),
        "an operator cancels the statements of the services, a hundred times a second",
        "a batch that was cancelled is counted later, once",
        "new results meanwhile";
    PostgresTerminate: "postgres-terminate", Postgres, POSTGRES, (3.0, 5.0),
        "an operator ends the sessions of the services, three times a second",
        "the services connect again; a batch whose session ended is counted once",
        "new results meanwhile";
    PostgresRightLost: "postgres-right-lost", Postgres, RIGHTS, (3.0, 5.0),
        "a role of Postgres loses a right; an operator runs `votectl migrate`, which grants it",
        "ballots are accepted and wait; none becomes a dead letter",
        "new results meanwhile";
    PostgresPassword: "postgres-password", Postgres, &["consumers", "dashboard"], (2.0, 4.0),
        "the password of a role changes, a second later the file of the services; then both change back",
        "the services read their file again for each new session",
        "new results while the file has another password than Postgres";
    PostgresRestored: "postgres-restored", Postgres, POSTGRES, (3.0, 5.0),
        "Postgres is restored from a dump of a moment ago, Redis is kept; `votectl resync` follows",
        "503 from the moment a consumer has noticed; votectl resync sends the ballots that were counted since the dump again",
        "new ballots and final results before votectl resync";
    PgBouncer: "pgbouncer", Network, &["consumers > postgres", "dashboard > postgres"], (3.0, 5.0),
        "services reach Postgres through PgBouncer in transaction mode, which is killed and started again",
        "the services connect again, and count as they do without it",
        "new results while there is no PgBouncer";
    PostgresKill: "postgres-kill", Postgres, POSTGRES, (1.0, 4.0),
        "kill -9 of Postgres' main process, started again",
        "ballots are accepted meanwhile and counted afterwards; results are marked stale",
        "new results meanwhile";
    PostgresImmediate: "postgres-immediate", Postgres, POSTGRES, (1.0, 4.0),
        "immediate shutdown of Postgres (SIGQUIT), started again with crash recovery",
        "as postgres-kill",
        "new results meanwhile";
    PostgresMidCommit: "postgres-mid-commit", Postgres, POSTGRES, (1.0, 3.0),
        "kill -9 of Postgres while a COMMIT of a consumer runs",
        "the batch is counted once, whether or not the commit had reached the disk",
        "new results meanwhile";
    PostgresFreeze: "postgres-freeze", Postgres, POSTGRES, (3.0, 6.0),
        "SIGSTOP of Postgres and its sessions, SIGCONT later",
        "consumers abandon their sessions; statements that run after the thaw change nothing",
        "new results meanwhile";
    PostgresLock: "postgres-lock", Postgres, POSTGRES, (3.0, 6.0),
        "another session holds an exclusive lock on the table of votes",
        "ballots are accepted and wait; none becomes a dead letter",
        "new results meanwhile";
    PostgresCrowded: "postgres-crowded", Postgres, POSTGRES, (3.0, 6.0),
        "the sessions of the services are ended, and other clients take all that max_connections allows",
        "ballots are accepted and wait; the services reconnect when there are free sessions",
        "new results meanwhile";
    PostgresDiskFull: "postgres-disk-full", Postgres, POSTGRES, (2.0, 5.0),
        "the disk of Postgres is full; if Postgres ends, it is restarted until it runs",
        "ballots are accepted and wait; none becomes a dead letter",
        "new results meanwhile";
    PostgresFailover: "postgres-failover", Postgres, POSTGRES, (1.0, 3.0),
        "the synchronous standby freezes for 3 s, the primary dies for good, and the standby is \
         promoted under the same address",
        "votes are counted once; commits wait while the standby does",
        "new results meanwhile; any of this if the standby is asynchronous";
    GroupDeleted: "group-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator destroys the consumer group of every stream while ballots flow",
        "the consumers create the group again from the first entry; ballots that were counted before stay counted once",
        "everything is promised: entries leave the stream only once they are counted";
    ConsumersDeleted: "consumers-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator deletes all consumers of the group (XGROUP DELCONSUMER) while they hold entries",
        "consumers find the entries that nobody holds within a minute, and count them once",
        "that these ballots are in the results at once";
    GroupMoved: "group-moved", Stream, &["to the beginning", "to the end", "beyond the end"], (1.0, 2.0),
        "an operator sets the position of every group (XGROUP SETID) while entries wait",
        "consumers find the entries that were passed over within a minute, and count them once",
        "that these ballots are in the results at once";
    KeyRenamed: "key-renamed", Stream,
        &["a stream", "the rules of a partition", "the definitions of the polls"], (2.0, 4.0),
        "an operator renames a key and later renames it back; a stream once nothing waits in the one in its place",
        "no result is final while a stream is away; its ballots are counted when it is back; copies of polls are repaired",
        "ballots of a partition without rules before they are repaired: 503; final results before \
         `votectl audit --acknowledge-regressions`";
    RegisterDeleted: "register-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator deletes the register of who voted while ballots flow",
        "a second ballot of a voter is accepted again and then set aside, so that the voter is counted once",
        "\"you have already voted\" for those who voted before";
    StreamDeleted: "stream-deleted", Stream, STREAMS, (1.0, 2.0),
        "an operator deletes every stream once it is empty; voters cannot connect meanwhile",
        "the services create streams and groups again",
        "ballots that are acknowledged but not yet counted when somebody deletes their stream: they are lost";
    Replay: "replay", Stream, STREAMS, (1.0, 2.0),
        "every ballot of the run so far is appended to the streams again, half of them as new entries",
        "nothing changes",
        "everything is promised";
    Poison: "poison", Stream, STREAMS, (3.0, 5.0),
        "about one entry in a hundred, and a burst of fifty, is malformed",
        "each becomes a dead letter, and no other entry does",
        "everything is promised";
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
    ForgeWatermark: "forge-watermark", Sabotage, POSTGRES, (3.0, 3.0),
        "sabotage: ballots wait when a poll closes, and the watermark says that all are counted",
        "a result is falsely called final: exit code 2",
        "";
    ForgeMetrics: "forge-metrics", Sabotage, DASHBOARD, (16.0, 16.0),
        "sabotage: the dashboard is frozen, and something else answers Prometheus with the dashboard's last metrics",
        "figures of the overview look well while their service is silent: exit code 2",
        "";
}

impl Fault {
    /// Returns the name on the command line, such as `redis-kill`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Returns the place in which it strikes.
    pub fn place(self) -> Place {
        self.entry().place
    }

    /// Returns the processes or links that it may strike.
    pub fn targets(self) -> &'static [&'static str] {
        self.entry().targets
    }

    /// Returns the shortest and the longest time until it is healed, in seconds.
    pub fn hold_s(self) -> (f64, f64) {
        self.entry().hold_s
    }

    /// Returns a description of its effect.
    pub fn description(self) -> &'static str {
        self.entry().description
    }

    /// Returns the expected behaviour of the services.
    pub fn expected(self) -> &'static str {
        self.entry().expected
    }

    /// Returns the properties that are not promised under this fault; empty if all are.
    pub fn not_promised(self) -> &'static str {
        self.entry().not_promised
    }

    /// Whether both faults may be active at the same time: they strike in different places, and neither takes away
    /// something that the injection of the other needs, or lasts much longer.
    pub(crate) fn mixes_with(self, other: Self) -> bool {
        use Place::{Network, Postgres, Redis, Service};
        let alone = |fault| {
            use Fault as F;
            matches!(
                fault,
                F::ClockJump
                    | F::FreezeAll
                    | F::PostgresFailover
                    | F::PostgresRestored
                    | F::RedisPromote
                    | F::StreamDeleted
            )
        };
        let (one, two) = (self.place(), other.place());
        let near = |place| matches!(place, Service | Network);
        let servers = matches!((one, two), (Redis, Postgres) | (Postgres, Redis));
        one != two && !alone(self) && !alone(other) && (near(one) || near(two) || servers)
    }

    /// Whether a stream goes back with it: then no result is final until an operator has taken note.
    pub(crate) fn turns_streams_back(self) -> bool {
        matches!(self, Self::RedisPromote | Self::StreamDeleted | Self::KeyRenamed)
    }

    /// Whether it restores an older state of the database, with an older state of the public log.
    pub(crate) fn restores_postgres(self) -> bool {
        self == Self::PostgresRestored
    }

    /// Whether it needs servers whose data lie on small disks of their own.
    pub(crate) fn needs_small_disk(self) -> bool {
        matches!(self, Self::RedisDiskFull | Self::PostgresDiskFull)
    }

    /// Returns all faults but sabotage, which is injected on request only.
    pub fn real() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|fault| fault.place() != Place::Sabotage).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name on the command line that is not that of a fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called `{0}`; `chaos --list` prints all names")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.iter().copied().find(|fault| fault.name() == text);
        found.ok_or_else(|| UnknownFault(text.to_owned()))
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
    fn the_readme_describes_every_fault() {
        let readme = include_str!("../README.md");
        for fault in Fault::ALL {
            assert!(readme.contains(&format!("`{fault}`")), "chaos/README.md: {fault}");
        }
    }
}
