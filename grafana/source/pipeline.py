"""The pipeline: every service in the order in which a ballot passes it, then the resources that may run out."""

from source import saturation
from source.boards import Board, Row
from source.overview import CANARY, CLICK_TO_COUNT, OUTCOME_COLORS
from source.panels import BAD, GOOD, WARN, Query, heat, lines, mean, quantile, quantiles, steps

REQUESTS = "votestream_http_requests_total"
DURATION = "votestream_http_request_duration_seconds"
DRAWN = (None, "transparent")


def red(service: str, what: str) -> Row:
    """Rate, errors and duration of a service's routes."""
    of = f'{{@, job=~"(.+[-/])?{service}"}}'
    duration = f"sum by (le, route) (rate({DURATION}_bucket{of}[@]))"
    return Row(
        7,
        lines(
            f"Requests to the {service}",
            f"How many requests per second does each route get? {what}",
            "reqps",
            [Query(f"sum by (route) (rate({REQUESTS}{of}[@]))", "{{route}}")],
            stacked=True,
        ),
        lines(
            f"Errors of the {service}",
            "Which routes fail, and with which status? Share of a route's answers with a status of 4xx or 5xx. "
            "4xx are faults of the client; at the producer most of them are second ballots.",
            "percentunit",
            [
                Query(
                    f'sum by (route, status) (rate({REQUESTS}{{@, job=~"(.+[-/])?{service}", status=~"[45].."}}[@]))'
                    f" / on (route) group_left () (sum by (route) (rate({REQUESTS}{of}[@])) > 0)",
                    "{{route}} {{status}}",
                    "nothing failed",
                )
            ],
        ),
        lines(
            f"Duration at the {service}",
            "How much time passes from the head of a request to the head of its answer, for 99 of 100 requests of "
            "each route?",
            "s",
            [Query(f"histogram_quantile(0.99, {duration})", "{{route}}")],
        ),
    )


def by_partition(metric: str) -> list[Query]:
    """A figure that every consumer measures of every partition."""
    return [Query(f"max by (partition) ({metric}{{@}})", "partition {{partition}}")]


BOARD = Board(
    uid="votestream-pipeline",
    file="pipeline",
    title="Votestream: pipeline",
    about=(
        "Where ballots are late or fail: each service, the streams between them, and resources that are nearly used up."
    ),
    reading=(
        "The rows follow a ballot from top to bottom. Look for the first row that is not as usual: its fault also "
        "affects the rows below it. The last rows show how much of each limited resource is in use."
    ),
    rows=[
        "Ballots in: the producer",
        red("producer", "`ballots` is the API, `ballot_form` is the form of the page."),
        Row(
            7,
            lines(
                "Ballots answered",
                "Which answers do ballots get, per second?",
                "short",
                [Query("sum by (outcome) (rate(votestream_ballots_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
                colors=OUTCOME_COLORS,
            ),
            lines(
                "Redis round trip",
                "How long does storing a batch take, including the wait for the disk or the replicas?",
                "s",
                quantiles("votestream_publish_duration_seconds"),
            ),
            lines(
                "Ballots a round trip",
                "How many ballots share a round trip? The number grows with load; that is how the producer keeps up.",
                "short",
                [
                    Query(mean("votestream_publish_batch_entries"), "mean"),
                    Query(quantile(0.99, "votestream_publish_batch_entries"), "p99"),
                ],
            ),
            lines(
                "Redis as promised",
                "Do the settings of Redis keep the promise of DURABILITY? 1 means yes; at 0 the producer accepts no "
                "ballots.",
                "short",
                [
                    Query("min(votestream_redis_durable{@})", "all"),
                    Query("min by (setting) (votestream_redis_setting_kept{@})", "{{setting}}"),
                ],
                max_val=1,
            ),
            widths=(8, 8, 4, 4),
        ),
        "Entries waiting: Redis",
        Row(
            7,
            lines(
                "Lag",
                "How many entries were not delivered to a consumer yet?",
                "short",
                by_partition("votestream_stream_lag"),
            ),
            lines(
                "Pending",
                "How many entries were delivered to a consumer and not acknowledged yet?",
                "short",
                by_partition("votestream_stream_pending"),
            ),
            lines(
                "Oldest entry by partition",
                "Does one partition stand still? Age of the oldest entry that is not acknowledged yet; the alert "
                "fires at 30 s.",
                "s",
                by_partition("votestream_stream_oldest_age_seconds"),
                limits=steps(DRAWN, (30, BAD)),
            ),
            lines(
                "Oldest pending entry",
                "Do the entries of a dead consumer stay uncounted? Other consumers claim them after CLAIM_IDLE_MS "
                "(30 s).",
                "s",
                by_partition("votestream_stream_oldest_pending_age_seconds"),
                limits=steps(DRAWN, (90, BAD)),
            ),
        ),
        Row(
            6,
            lines(
                "Claims",
                "Do consumers die? Entries claimed from other consumers per second, and dead consumers removed from "
                "the group.",
                "short",
                [
                    Query("sum(rate(votestream_claimed_entries_total{@}[@]))", "entries taken over"),
                    Query("sum(rate(votestream_abandoned_entries_total{@}[@]))", "entries of nobody"),
                    Query("sum(rate(votestream_consumers_removed_total{@}[@]))", "consumers removed"),
                ],
            ),
            lines(
                "Dead letters",
                "Are there dead letters? Number that wait for an operator's decision, by partition.",
                "short",
                by_partition("votestream_dead_letters_held"),
            ),
            lines(
                "Unreadable polls",
                "Which replicas cannot read a poll? Number of polls in Postgres that each one cannot read, for example "
                "because a newer release wrote them. Should be 0.",
                "short",
                [Query("max by (job, instance) (votestream_unreadable_polls{@})", "{{job}} {{instance}}")],
            ),
            lines(
                "Entries lost",
                "Did somebody trim or delete entries? Number that vanished without being counted or becoming a dead "
                "letter: undelivered ones since the stream was created, pending ones since the consumers started. Must "
                "stay 0.",
                "short",
                [
                    Query("sum(max by (job, partition) (votestream_stream_lost_entries{@}))", "never delivered"),
                    Query("sum(votestream_vanished_entries_total{@})", "pending, then deleted"),
                ],
            ),
            lines(
                "Group",
                "How many consumers does the group of each partition have? Is there a partition whose lag Redis does "
                "not report (1)?",
                "short",
                [
                    Query("max by (partition) (votestream_stream_consumers{@})", "consumers of {{partition}}"),
                    Query("max(votestream_stream_lag_unknown{@})", "lag unknown somewhere"),
                ],
            ),
            lines(
                "Copies repaired",
                "Does somebody else write to Redis? Parts of polls that differed from Postgres and were repaired, within "
                "the time range of the dashboard: a partition's rules, a definition, single voting codes. Must stay 0.",
                "short",
                [Query("sum by (what) (increase(votestream_copies_repaired_total{@}[$__range]))", "{{what}}")],
            ),
        ),
        "Votes counted: the consumers",
        Row(
            8,
            heat(
                "Click to count, spread",
                "How long did ballots wait until they were counted: did all wait for a short time, or a few for a "
                "long time?",
                "s",
                CLICK_TO_COUNT,
            ),
            lines(
                "Votes by outcome",
                "Which effect did counted ballots have, per second? `counted` is a new voter, `unchanged` a repeated "
                "delivery.",
                "short",
                [Query("sum by (outcome) (rate(votestream_votes_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
            ),
            lines(
                "One transaction in Postgres",
                "How much time passes from the checkout of a connection to the commit?",
                "s",
                quantiles("votestream_store_duration_seconds"),
            ),
        ),
        Row(
            6,
            lines(
                "Entries a batch",
                "How many entries share a transaction? At BATCH_MAX (5000) the consumers are at their limit.",
                "short",
                [
                    Query(mean("votestream_batch_entries"), "mean"),
                    Query(quantile(0.99, "votestream_batch_entries"), "p99"),
                ],
            ),
            lines(
                "Retries by server",
                "Which server causes retries of the consumers, per second?",
                "short",
                [Query("sum by (what) (rate(votestream_retries_total{@}[@]))", "{{what}}")],
            ),
            lines(
                "Audit",
                "Does the audit balance? Votes by which the tally is wrong, accepted ballots that cannot be found, counted "
                "ballots that no producer accepted, and votes without a voting code where one is needed. All must stay "
                "0; the surplus has a gap where Redis' counters are incomplete.",
                "short",
                [
                    Query("max(votestream_audit_drift_votes{@})", "tally drift"),
                    Query("max(votestream_audit_missing_ballots{@})", "ballots missing"),
                    Query("max(votestream_audit_unaccounted_voters{@})", "voters whose ballot is nowhere"),
                    Query("max(votestream_audit_surplus_ballots{@})", "ballots that nobody accepted"),
                    Query("max(votestream_audit_votes_without_code{@})", "votes without a code"),
                ],
            ),
            lines(
                "Age of the audit",
                "How long ago did the last audit finish, and how long did it take?",
                "s",
                [
                    Query("time() - max(votestream_audit_timestamp_seconds{@} > 0)", "age"),
                    Query("max(votestream_audit_duration_seconds{@})", "duration"),
                ],
            ),
        ),
        "Results out: the dashboards",
        red("dashboard", "`events` counts event streams when they open; *Viewers by replica* shows how many are open."),
        Row(
            7,
            lines(
                "One reading of the tallies",
                "Does Postgres answer within a tick (TICK_MS, 100 ms)?",
                "s",
                quantiles("votestream_tick_duration_seconds"),
                limits=steps(DRAWN, (0.1, WARN)),
            ),
            lines(
                "Frames",
                "How many frames are sent per second, and how many are skipped for slow viewers?",
                "short",
                [
                    Query("sum(rate(votestream_frames_sent_total{@}[@]))", "sent"),
                    Query("sum(rate(votestream_frames_skipped_total{@}[@]))", "skipped"),
                ],
            ),
            lines(
                "Change to viewer",
                "How old is a change, at most, when its frame is written to a viewer? The promise is 1 s.",
                "s",
                quantiles("votestream_delivery_seconds"),
                limits=steps(DRAWN, (1, BAD)),
            ),
            lines(
                "Viewers by replica",
                "Are viewers spread evenly over the replicas, and are any refused?",
                "short",
                [
                    Query("sum by (instance) (votestream_viewers{@})", "{{instance}}"),
                    Query("sum(rate(votestream_viewers_refused_total{@}[@]))", "refused a second"),
                ],
            ),
        ),
        "Canary: a machine that votes and watches, from outside",
        Row(
            7,
            lines(
                "Canary: click to screen",
                "How much time passes from the click until the live results show the vote, for 50, 95 and 99 of 100 ballots of the "
                "canary? The objectives allow 3 s.",
                "s",
                [
                    Query(query.expr, query.legend, "no canary runs, or none of its ballots is shown")
                    for query in quantiles(f"{CANARY}_screen_seconds")
                ],
                limits=steps(DRAWN, (3, BAD)),
            ),
            lines(
                "Ballots of the canary",
                "Where do the ballots of the canary end? `shown` is well; `refused` and `unanswered` end at the producer, "
                "`not-shown` were accepted and did not come onto the screen, and for `no-results` there was no event stream.",
                "short",
                [
                    Query(
                        f"sum by (outcome) (rate({CANARY}_ballots_total{{@}}[@])) > 0", "{{outcome}}", "no canary runs"
                    )
                ],
                stacked=True,
                colors={"shown": GOOD, "refused": WARN, "unanswered": BAD, "not-shown": "purple", "no-results": "yellow"},
            ),
        ),
        *saturation.ROWS,
    ],
)
