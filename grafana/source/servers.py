"""Redis and Postgres, as their usual exporters report them."""

from source.boards import Board, Row
from source.panels import BAD, GOOD, WARN, Panel, Query, lines, number, promql, steps

DRAWN = (None, "transparent")


def redis(text: str) -> str:
    return promql(text, "redis_job", "redis_instance", "")


def postgres(text: str) -> str:
    return promql(text, "postgres_job", "postgres_instance", "")


def of(server, *queries: tuple[str, ...]) -> list[Query]:
    """Expression, legend, and why it may be empty, each."""
    return [Query(server(expr), *rest) for expr, *rest in queries]


def up(server, name: str, metric: str) -> Panel:
    return number(
        f"{name} up",
        f"Does {name} answer its exporter? 1 means yes.",
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
        "Look here when the pipeline's dashboard points at Redis or Postgres as the cause. This dashboard needs the "
        "exporters (Debian: `prometheus-redis-exporter`, `prometheus-postgres-exporter`) as scrape jobs of any name. "
        "Without them it is empty; the other dashboards do not need them."
    ),
    choices=[("redis_job", "redis_instance", "redis_up"), ("postgres_job", "postgres_instance", "pg_up")],
    of_deployment=False,
    marked="",
    rows=[
        "Redis",
        Row(
            6,
            up(redis, "Redis", "redis_up"),
            number(
                "Evicted keys",
                "Has Redis evicted keys since it started? Must be 0.",
                "short",
                redis("sum(redis_evicted_keys_total{@})"),
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            lines(
                "Redis memory used",
                "How much memory do the data of Redis use, how much is allowed (maxmemory), and how much has the "
                "system given to Redis (resident)?",
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
                "Which ten commands are called most often, in calls per second?",
                "ops",
                of(redis, ("topk(10, sum by (cmd) (rate(redis_commands_total{@}[@])))", "{{cmd}}")),
            ),
            lines(
                "Redis time by command",
                "Which ten commands take most of Redis' single thread, in seconds per second? At 1 the thread is "
                "fully used.",
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
                "Is the append-only file on, and did the last write and the last rewrite succeed? 1 means yes.",
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
                "How large is the append-only file, compared with its size after the last rewrite?",
                "bytes",
                of(
                    redis,
                    ("redis_aof_current_size_bytes{@}", "now {{instance}}"),
                    ("redis_aof_base_size_bytes{@}", "after the last rewrite {{instance}}"),
                ),
            ),
            lines(
                "Redis clients",
                "How many clients are connected, and how many of them wait in a blocking read?",
                "short",
                of(
                    redis,
                    ("redis_connected_clients{@}", "connected {{instance}}"),
                    ("redis_blocked_clients{@}", "blocked {{instance}}"),
                ),
            ),
            lines(
                "Redis replicas",
                "How many replicas does each server have, and is each replica connected to its master (1)?",
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
                "How many bytes per second does Redis receive and send?",
                "Bps",
                of(
                    redis,
                    ("sum(rate(redis_net_input_bytes_total{@}[@]))", "in"),
                    ("sum(rate(redis_net_output_bytes_total{@}[@]))", "out"),
                ),
            ),
            lines(
                "Redis refuses",
                "How many connections does Redis refuse per second, and how many errors does it return?",
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
                "How many deadlocks were there within the time range of the dashboard?",
                "short",
                postgres("sum(increase(pg_stat_database_deadlocks{@}[$__range]))"),
                steps((None, GOOD), (1, WARN)),
                decimals=0,
            ),
            lines(
                "Postgres transactions",
                "How many transactions are committed and rolled back per second?",
                "ops",
                of(
                    postgres,
                    ("sum by (datname) (rate(pg_stat_database_xact_commit{@}[@]))", "{{datname}} committed"),
                    ("sum(rate(pg_stat_database_xact_rollback{@}[@]))", "rolled back"),
                ),
            ),
            lines(
                "Postgres sessions",
                "How many sessions are there in each state, and how many are allowed?",
                "short",
                of(
                    postgres,
                    ("sum by (state) (pg_stat_activity_count{@}) > 0", "{{state}}"),
                    ("max(pg_settings_max_connections{@})", "max_connections"),
                ),
            ),
            lines(
                "Longest transaction",
                "How old is the oldest open transaction? A long one can block others and keeps vacuum from removing "
                "dead rows.",
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
                "How many rows per second are inserted, updated and deleted?",
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
                "Which share of the blocks was found in shared memory? Far below 1, the votes do not fit into it.",
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
                "How many locks are held, by mode?",
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
                "How many checkpoints are there per second, on schedule (timed) or because there was too much WAL "
                "(requested)? Since Postgres 17 this needs postgres_exporter 0.16 or newer with `--collector.stat_checkpointer`.",
                "short",
                of(
                    postgres,
                    (
                        "sum(rate(pg_stat_bgwriter_checkpoints_timed_total{@}[@]))"
                        " or sum(rate(pg_stat_bgwriter_checkpoints_timed{@}[@]))"
                        " or sum(rate(pg_stat_checkpointer_num_timed_total{@}[@]))",
                        "timed",
                    ),
                    (
                        "sum(rate(pg_stat_bgwriter_checkpoints_req_total{@}[@]))"
                        " or sum(rate(pg_stat_bgwriter_checkpoints_req{@}[@]))"
                        " or sum(rate(pg_stat_checkpointer_num_requested_total{@}[@]))",
                        "requested",
                    ),
                ),
            ),
            lines(
                "Replication lag",
                "How far behind its primary is each replica? Dashboards that read from a replica show results of "
                "that age.",
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
                "Which five tables have most dead rows? Their number must not keep growing while tallies are updated.",
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
