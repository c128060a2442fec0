"""Redis and Postgres, as their usual exporters see them."""

from source.boards import Board, Row
from source.panels import BAD, GOOD, WARN, Panel, Query, lines, number, promql, steps

DRAWN = (None, "transparent")


def redis(text: str) -> str:
    return promql(text, "redis_job", "redis_instance")


def postgres(text: str) -> str:
    return promql(text, "postgres_job", "postgres_instance")


def of(server, *queries: tuple[str, ...]) -> list[Query]:
    """Expression, legend, and why it may be empty, each."""
    return [Query(server(expr), *rest) for expr, *rest in queries]


def up(server, name: str, metric: str) -> Panel:
    return number(
        f"{name} up",
        f"Does {name} answer its exporter? 1 is yes.",
        "short",
        server(f"min({metric}{{@}})"),
        steps((None, BAD), (1, GOOD)),
        decimals=0,
    )


BOARD = Board(
    uid="votestream-servers",
    file="servers",
    title="Votestream: Redis and Postgres",
    about="The two servers themselves, from redis_exporter (oliver006) and postgres_exporter.",
    reading=(
        "For when the pipeline's dashboard points at a server. It needs the exporters (Debian: "
        "`prometheus-redis-exporter`, `prometheus-postgres-exporter`) as scrape "
        "jobs of any name; without them it is empty, and nothing else is."
    ),
    choices=[("redis_job", "redis_instance", "redis_up"), ("postgres_job", "postgres_instance", "pg_up")],
    marked="",
    rows=[
        "Redis",
        Row(
            6,
            up(redis, "Redis", "redis_up"),
            number(
                "Evicted keys",
                "Did Redis throw anything away, since it started? Must be 0.",
                "short",
                redis("sum(redis_evicted_keys_total{@})"),
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            lines(
                "Redis memory used",
                "How much is used, by bound, and by what the system gave?",
                "bytes",
                of(
                    redis,
                    ("redis_memory_used_bytes{@}", "used {{instance}}"),
                    ("redis_memory_max_bytes{@} > 0", "maxmemory {{instance}}", "there is no maxmemory"),
                    ("redis_memory_used_rss_bytes{@}", "resident {{instance}}"),
                ),
            ),
            lines(
                "Redis commands",
                "What is Redis asked, calls a second, the most frequent?",
                "ops",
                of(redis, ("topk(10, sum by (cmd) (rate(redis_commands_total{@}[@])))", "{{cmd}}")),
            ),
            lines(
                "Redis time by command",
                "Where does Redis spend its one thread, seconds a second? At 1 it is full.",
                "s",
                of(redis, ("topk(10, sum by (cmd) (rate(redis_commands_duration_seconds_total{@}[@])))", "{{cmd}}")),
                stacked=True,
            ),
            widths=(3, 3, 6, 6, 6),
        ),
        Row(
            6,
            lines(
                "Append-only file",
                "Is it on, and did the last write and rewrite go well? 1 is yes.",
                "short",
                of(
                    redis,
                    ("min(redis_aof_enabled{@})", "on"),
                    ("min(redis_aof_last_write_status{@})", "last write"),
                    ("min(redis_aof_last_bgrewrite_status{@})", "last rewrite"),
                ),
                max_val=1,
            ),
            lines(
                "Append-only file, size",
                "How large is it, against its size after the last rewrite?",
                "bytes",
                of(
                    redis,
                    ("redis_aof_current_size_bytes{@}", "now {{instance}}"),
                    ("redis_aof_base_size_bytes{@}", "after the last rewrite {{instance}}"),
                ),
            ),
            lines(
                "Redis clients",
                "How many are connected, and how many of them wait in a blocking read?",
                "short",
                of(
                    redis,
                    ("redis_connected_clients{@}", "connected {{instance}}"),
                    ("redis_blocked_clients{@}", "blocked {{instance}}"),
                ),
            ),
            lines(
                "Redis replicas",
                "How many replicas does each server have, and does a replica still hear its master (1)?",
                "short",
                of(
                    redis,
                    ("redis_connected_slaves{@}", "replicas of {{instance}}"),
                    ("redis_master_link_up{@}", "link of {{instance}}", "there is no replica"),
                ),
            ),
        ),
        Row(
            6,
            lines(
                "Redis CPU",
                "How many cores does Redis use?",
                "short",
                of(
                    redis,
                    (
                        "rate(redis_cpu_sys_seconds_total{@}[@]) + rate(redis_cpu_user_seconds_total{@}[@])",
                        "{{instance}}",
                    ),
                ),
            ),
            lines(
                "Redis traffic",
                "How much goes in and out, a second?",
                "Bps",
                of(
                    redis,
                    ("sum(rate(redis_net_input_bytes_total{@}[@]))", "in"),
                    ("sum(rate(redis_net_output_bytes_total{@}[@]))", "out"),
                ),
            ),
            lines(
                "Redis refuses",
                "Does Redis turn connections away, or answer errors, a second?",
                "short",
                of(
                    redis,
                    ("sum(rate(redis_rejected_connections_total{@}[@]))", "connections refused"),
                    ("sum(rate(redis_errors_total{@}[@]))", "errors"),
                ),
            ),
        ),
        "Postgres",
        Row(
            6,
            up(postgres, "Postgres", "pg_up"),
            number(
                "Deadlocks",
                "Did transactions block each other for good, within the time shown?",
                "short",
                postgres("sum(increase(pg_stat_database_deadlocks{@}[$__range]))"),
                steps((None, GOOD), (1, WARN)),
                decimals=0,
                instant=True,
            ),
            lines(
                "Postgres transactions",
                "How many end a second, and how?",
                "ops",
                of(
                    postgres,
                    ("sum by (datname) (rate(pg_stat_database_xact_commit{@}[@]))", "{{datname}} committed"),
                    ("sum(rate(pg_stat_database_xact_rollback{@}[@]))", "rolled back"),
                ),
            ),
            lines(
                "Postgres sessions",
                "Who holds connections, in which state, and how many may there be?",
                "short",
                of(
                    postgres,
                    ("sum by (state) (pg_stat_activity_count{@}) > 0", "{{state}}"),
                    ("max(pg_settings_max_connections{@})", "max_connections"),
                ),
            ),
            lines(
                "Longest transaction",
                "Does one keep others waiting, or keep dead rows from being cleaned up?",
                "s",
                of(postgres, ("max by (datname) (pg_stat_activity_max_tx_duration{@})", "{{datname}}")),
                limits=steps(DRAWN, (60, WARN)),
            ),
            widths=(3, 3, 6, 6, 6),
        ),
        Row(
            6,
            lines(
                "Rows written",
                "How many rows are inserted, updated, deleted, a second?",
                "short",
                of(
                    postgres,
                    ("sum(rate(pg_stat_database_tup_inserted{@}[@]))", "inserted"),
                    ("sum(rate(pg_stat_database_tup_updated{@}[@]))", "updated"),
                    ("sum(rate(pg_stat_database_tup_deleted{@}[@]))", "deleted"),
                ),
            ),
            lines(
                "Read from memory",
                "Share of blocks found in shared memory. Far below 1, the votes do not fit.",
                "percentunit",
                of(
                    postgres,
                    (
                        "sum by (datname) (rate(pg_stat_database_blks_hit{@}[@])) / (sum by (datname) "
                        "(rate(pg_stat_database_blks_hit{@}[@])) + sum by (datname) "
                        "(rate(pg_stat_database_blks_read{@}[@])) > 0)",
                        "{{datname}}",
                    ),
                ),
                max_val=1,
            ),
            lines(
                "Locks",
                "Which locks are held, by mode?",
                "short",
                of(postgres, ("sum by (mode) (pg_locks_count{@}) > 0", "{{mode}}")),
            ),
            lines(
                "Database size",
                "How large is each database?",
                "bytes",
                of(postgres, ("max by (datname) (pg_database_size_bytes{@})", "{{datname}}")),
            ),
        ),
        Row(
            6,
            lines(
                "Checkpoints",
                "Are checkpoints forced by too much WAL (requested), a second?",
                "short",
                of(
                    postgres,
                    (
                        "sum(rate(pg_stat_bgwriter_checkpoints_timed_total{@}[@]))"
                        " or sum(rate(pg_stat_bgwriter_checkpoints_timed{@}[@]))",
                        "timed",
                    ),
                    (
                        "sum(rate(pg_stat_bgwriter_checkpoints_req_total{@}[@]))"
                        " or sum(rate(pg_stat_bgwriter_checkpoints_req{@}[@]))",
                        "requested",
                    ),
                ),
            ),
            lines(
                "Replication lag",
                "How far behind is a replica? Dashboards that read from it show results that old.",
                "s",
                of(
                    postgres,
                    (
                        "max by (instance) (pg_replication_lag{@} or pg_replication_lag_seconds{@})",
                        "{{instance}}",
                        "there is no replica, or the exporter is older than 0.12",
                    ),
                ),
            ),
            lines(
                "Dead rows",
                "Does the clean-up keep up with the updates of the tallies?",
                "short",
                of(
                    postgres,
                    (
                        "topk(5, max by (relname) (pg_stat_user_tables_n_dead_tup{@}))",
                        "{{relname}}",
                        "the exporter is older than 0.12",
                    ),
                ),
            ),
        ),
    ],
)
