"""What is used of what there is: the last rows of the pipeline's dashboard."""

from source.boards import Row
from source.panels import BAD, WARN, Query, lines, steps

DRAWN = (None, "transparent")

ROWS: list[Row | str] = [
    "Saturation: what is used of what there is",
    Row(
        7,
        lines(
            "CPU",
            "How many cores does each replica use?",
            "short",
            [Query("rate(process_cpu_seconds_total{@}[@])", "{{job}} {{instance}}")],
        ),
        lines(
            "Memory",
            "How much memory does each replica hold?",
            "bytes",
            [Query("process_resident_memory_bytes{@}", "{{job}} {{instance}}")],
        ),
        lines(
            "Connection pools",
            "Share of each pool's connections in use. At 1 requests wait for one.",
            "percentunit",
            [
                Query(
                    'max by (job, pool) (votestream_pool_connections{@, state="used"}'
                    " / on (job, instance, pool) group_left () votestream_pool_connections_max{@})",
                    "{{job}} to {{pool}}",
                )
            ],
            max_val=1,
        ),
        lines(
            "Redis memory",
            "Share of Redis' memory in use. At 1 it refuses every ballot.",
            "percentunit",
            [
                Query(
                    "max by (partition) (votestream_redis_memory_bytes{@})"
                    " / max by (partition) (votestream_redis_memory_max_bytes{@})",
                    "server of {{partition}}",
                )
            ],
            limits=steps(DRAWN, (0.85, BAD)),
            max_val=1,
        ),
    ),
    Row(
        7,
        lines(
            "Backlog against its bound",
            "How near is the fullest partition to BACKLOG_MAX? At 1 its voters are answered 503.",
            "percentunit",
            [
                Query(
                    "max(max by (partition) (votestream_stream_entries{@})) / min(votestream_backlog_max_entries{@})",
                    "fullest partition",
                )
            ],
            limits=steps(DRAWN, (0.8, BAD)),
            max_val=1,
        ),
        lines(
            "Client connections",
            "Share of CONNECTIONS_MAX and VIEWERS_MAX in use, the fullest replica. At 1 clients wait outside.",
            "percentunit",
            [
                Query(
                    "max by (job, listener) (votestream_http_connections{@} / votestream_http_connections_max{@})",
                    "{{job}} {{listener}}",
                ),
                Query("max(votestream_viewers{@} / votestream_viewers_max{@})", "seats of viewers"),
            ],
            max_val=1,
        ),
        lines(
            "File handles",
            "Share of the file handles a replica may open. At 1 it accepts nobody.",
            "percentunit",
            [Query("process_open_fds{@} / process_max_fds{@}", "{{job}} {{instance}}")],
            max_val=1,
        ),
        lines(
            "Postgres connections",
            "Share of max_connections in use, by everybody.",
            "percentunit",
            [
                Query(
                    "max(votestream_postgres_connections{@}) / max(votestream_postgres_connections_max{@})", "sessions"
                )
            ],
            limits=steps(DRAWN, (0.9, WARN)),
            max_val=1,
        ),
    ),
    Row(
        6,
        lines(
            "Backlog and its memory",
            "What does the backlog take in Redis?",
            "bytes",
            [Query("sum(max by (partition) (votestream_stream_bytes{@}))", "streams")],
        ),
        lines(
            "Voting codes left",
            "Do polls with codes run out of them? The smallest share left of an open poll; 1 when there is none.",
            "percentunit",
            [Query("min(votestream_codes_unused_ratio{@})", "left")],
            limits=steps(DRAWN, (0.1, WARN)),
            max_val=1,
        ),
        lines(
            "Certificates",
            "How long are the certificates of Redis and Postgres good for? Empty without TLS.",
            "s",
            [
                Query(
                    "min by (certificate) (votestream_certificate_expiry_timestamp_seconds{@}) - time()",
                    "{{certificate}}",
                    "there are no certificates where TLS is not used",
                )
            ],
        ),
    ),
]
