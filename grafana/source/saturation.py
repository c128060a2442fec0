"""How much of each limited resource is in use: the last rows of the pipeline's dashboard."""

from source.boards import Row
from source.panels import BAD, WARN, Query, lines, steps

DRAWN = (None, "transparent")

ROWS: list[Row | str] = [
    "Saturation: resources in use",
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
            "How much memory does each replica use?",
            "bytes",
            [Query("process_resident_memory_bytes{@}", "{{job}} {{instance}}")],
        ),
        lines(
            "Connection pools",
            "Which share of each pool's connections is in use? At 1, requests wait for a connection.",
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
            "Which share of its memory does Redis use? At 1 it refuses every ballot.",
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
            "How much of BACKLOG_MAX does the fullest partition hold? At 1 its voters get 503.",
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
            "Which share of CONNECTIONS_MAX, VIEWERS_MAX and STATE_STREAMS_MAX does the fullest replica use? At 1, connections "
            "that rest or are slow are closed for further ones, further viewers get 503, and further ballot pages ask every 15 s.",
            "percentunit",
            [
                Query(
                    "max by (job, listener) (votestream_http_connections{@} / votestream_http_connections_max{@})",
                    "{{job}} {{listener}}",
                ),
                Query("max(votestream_viewers{@} / votestream_viewers_max{@})", "viewers"),
                Query("max(votestream_state_streams{@} / votestream_state_streams_max{@})", "ballot pages"),
            ],
            max_val=1,
        ),
        lines(
            "File handles",
            "Which share of its permitted file handles has each replica open? At 1 it accepts no connections.",
            "percentunit",
            [Query("process_open_fds{@} / process_max_fds{@}", "{{job}} {{instance}}")],
            max_val=1,
        ),
        lines(
            "Postgres connections and disk",
            "Which share of max_connections is in use, by all clients together? And is the disk of Postgres full (1)?",
            "percentunit",
            [
                Query(
                    "max(votestream_postgres_connections{@}) / max(votestream_postgres_connections_max{@})", "sessions"
                ),
                Query("max(votestream_postgres_disk_full{@})", "disk full"),
            ],
            limits=steps(DRAWN, (0.9, WARN)),
            max_val=1,
        ),
    ),
    Row(
        6,
        lines(
            "Memory of client connections",
            "Which share of the memory for connections does each kind of connection reserve, in the fullest replica? At 1 "
            "altogether, connections are closed to make room for others.",
            "percentunit",
            [
                Query(
                    "max by (job, kind) (votestream_http_memory_bytes{@} "
                    "/ on (job, instance, listener) group_left () votestream_http_memory_max_bytes{@})",
                    "{{job}} {{kind}}",
                )
            ],
            max_val=1,
        ),
        lines(
            "Closed connections",
            "For which reason do services close connections? Those that rest or are old are closed as a rule; those that are "
            "closed for room or for their network's share are signs of a crowd or of an attack.",
            "cps",
            [
                Query(
                    "sum by (job, reason) (rate(votestream_http_connections_closed_total{@}[$__rate_interval]))",
                    "{{job}} {{reason}}",
                )
            ],
        ),
    ),
    Row(
        6,
        lines(
            "Wrong voting codes",
            "Does somebody guess voting codes, or was a wrong list handed out? Ballots per second that were refused "
            "because the poll has no such code, or because the code has a vote already.",
            "short",
            [
                Query('sum(rate(votestream_ballots_total{@, outcome="bad-code"}[@]))', "no such code"),
                Query('sum(rate(votestream_ballots_total{@, outcome="code-used"}[@]))', "used before"),
            ],
        ),
        lines(
            "New voters by network",
            "Do many new voters come from few networks? New voters per second: of usual networks, of networks that bring very "
            "many, of proxies that do not name their clients, and without a limit.",
            "short",
            [Query("sum by (network) (rate(votestream_new_voters_total{@}[@]))", "{{network}}")],
        ),
        lines(
            "Challenges",
            "Do challenges keep programs from voting many times, and can voters solve them? Challenges per second: asked of new "
            "voters, solved, answered wrongly, and left unchecked because the service that checks them did not answer.",
            "short",
            [Query("sum by (outcome) (rate(votestream_challenges_total{@}[@]))", "{{outcome}}")],
        ),
    ),
    Row(
        6,
        lines(
            "Backlog and its memory",
            "How much memory of Redis does the backlog use?",
            "bytes",
            [Query("sum(max by (partition) (votestream_stream_bytes{@}))", "streams")],
        ),
        lines(
            "Voting codes left",
            "Do open polls run out of voting codes? Smallest share of unused codes of any open poll; 1 if no open "
            "poll has codes.",
            "percentunit",
            [Query("min(votestream_codes_unused_ratio{@})", "left")],
            limits=steps(DRAWN, (0.1, WARN)),
            max_val=1,
        ),
        lines(
            "Spans lost",
            "Do traces have gaps? Spans lost per second, because too many waited or because the collector did not take them.",
            "short",
            [Query("sum by (reason) (rate(votestream_spans_lost_total{@}[@]))", "{{reason}}")],
        ),
        lines(
            "Certificates",
            "How long are the certificates of Redis and Postgres still valid? Empty without TLS.",
            "s",
            [
                Query(
                    "min by (certificate) (votestream_certificate_expiry_timestamp_seconds{@}) - time()",
                    "{{certificate}}",
                    "without TLS there are no certificates",
                )
            ],
        ),
    ),
]
