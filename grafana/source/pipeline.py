"""The pipeline: every service in the order in which a ballot meets it, then what may run out."""

from source import saturation
from source.boards import Board, Row
from source.overview import CLICK_TO_COUNT, OUTCOME_COLORS
from source.panels import BAD, WARN, Query, heat, lines, mean, quantile, quantiles, steps

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
            f"Which routes are asked, how often a second? {what}",
            "reqps",
            [Query(f"sum by (route) (rate({REQUESTS}{of}[@]))", "{{route}}")],
            stacked=True,
        ),
        lines(
            f"Errors of the {service}",
            "Which routes fail, and how? Share of a route's answers with a status of 4xx or "
            "5xx; 4xx are the client's matter, mostly votes by who has voted.",
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
            "How long from a request's head to its answer's head, by route, for all but one in a hundred?",
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
    about="Where a ballot is late or fails: each service, the streams between them, and what is nearly full.",
    reading=(
        "From top to bottom is the way of a ballot. Look for the first row that is not as usual: what is below it "
        "suffers from it. The last row shows what is used against its bound."
    ),
    rows=[
        "Ballots in: the producer",
        red("producer", "`ballots` is the API, `ballot_form` the page's form."),
        Row(
            7,
            lines(
                "Ballots answered",
                "What became of the ballots, a second?",
                "short",
                [Query("sum by (outcome) (rate(votestream_ballots_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
                colors=OUTCOME_COLORS,
            ),
            lines(
                "Redis round trip",
                "How long does a batch take to be stored, the wait for the disk or replicas included?",
                "s",
                quantiles("votestream_publish_duration_seconds"),
            ),
            lines(
                "Ballots a round trip",
                "How many share a round trip? More under load is how it keeps up.",
                "short",
                [
                    Query(mean("votestream_publish_batch_entries"), "mean"),
                    Query(quantile(0.99, "votestream_publish_batch_entries"), "p99"),
                ],
            ),
            lines(
                "Redis as promised",
                "Is Redis set up for what DURABILITY promises? 1 is yes; at 0 no ballot is taken.",
                "short",
                [
                    Query("min(votestream_redis_durable{@})", "all"),
                    Query("min by (setting) (votestream_redis_setting_kept{@})", "{{setting}}"),
                ],
                max_val=1,
            ),
            widths=(8, 8, 4, 4),
        ),
        "Entries under way: Redis",
        Row(
            7,
            lines(
                "Lag", "How much was not delivered to a consumer yet?", "short", by_partition("votestream_stream_lag")
            ),
            lines(
                "Pending",
                "How much is in a consumer's hands: delivered, not acknowledged?",
                "short",
                by_partition("votestream_stream_pending"),
            ),
            lines(
                "Oldest entry by partition",
                "Does one partition stand still? Age of the oldest entry not yet "
                "acknowledged; the alert comes at 30 s.",
                "s",
                by_partition("votestream_stream_oldest_age_seconds"),
                limits=steps(DRAWN, (30, BAD)),
            ),
            lines(
                "Oldest pending entry",
                "Is a dead consumer's work left lying? It is taken over after CLAIM_IDLE_MS (30 s).",
                "s",
                by_partition("votestream_stream_oldest_pending_age_seconds"),
                limits=steps(DRAWN, (90, BAD)),
            ),
        ),
        Row(
            6,
            lines(
                "Claims",
                "Are consumers dying? Entries taken over from others a second, and names of dead ones removed.",
                "short",
                [
                    Query("sum(rate(votestream_claimed_entries_total{@}[@]))", "entries taken over"),
                    Query("sum(rate(votestream_consumers_removed_total{@}[@]))", "consumers removed"),
                ],
            ),
            lines(
                "Dead letters",
                "Is anything set aside? Held now, by partition, waiting for a decision.",
                "short",
                by_partition("votestream_dead_letters_held"),
            ),
            lines(
                "Entries lost",
                "Did somebody trim or delete? Entries gone without being counted or set aside, since the "
                "stream began or the consumers started. Must stay 0.",
                "short",
                [
                    Query("sum(max by (job, partition) (votestream_stream_lost_entries{@}))", "never delivered"),
                    Query("sum(votestream_vanished_entries_total{@})", "pending, then deleted"),
                ],
            ),
            lines(
                "Group",
                "How many consumers has each partition's group? And is there one whose lag Redis does not know (1)?",
                "short",
                [
                    Query("max by (partition) (votestream_stream_consumers{@})", "consumers of {{partition}}"),
                    Query("max(votestream_stream_lag_unknown{@})", "lag unknown somewhere"),
                ],
            ),
        ),
        "Votes counted: the consumers",
        Row(
            8,
            heat(
                "Click to count, spread",
                "How long did ballots wait for their count: all a little, or some long?",
                "s",
                CLICK_TO_COUNT,
            ),
            lines(
                "Votes by outcome",
                "What did counting change, a second? `counted` is a new voter, `unchanged` a replay.",
                "short",
                [Query("sum by (outcome) (rate(votestream_votes_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
            ),
            lines(
                "One transaction in Postgres",
                "How long from taking a connection to the commit?",
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
                "Which server fails the consumers, attempts a second?",
                "short",
                [Query("sum by (what) (rate(votestream_retries_total{@}[@]))", "{{what}}")],
            ),
            lines(
                "Audit",
                "Do the books balance? Votes by which the tally is wrong, and accepted ballots that are nowhere. "
                "Must stay 0.",
                "short",
                [
                    Query("max(votestream_audit_drift_votes{@})", "tally drift"),
                    Query("max(votestream_audit_missing_ballots{@})", "ballots missing"),
                ],
            ),
            lines(
                "Age of the audit",
                "When were the books last looked at, and how long did it take?",
                "s",
                [
                    Query("time() - max(votestream_audit_timestamp_seconds{@} > 0)", "age"),
                    Query("max(votestream_audit_duration_seconds{@})", "duration"),
                ],
            ),
        ),
        "Results out: the dashboards",
        red("dashboard", "Event streams are no requests: see *Viewers by replica*."),
        Row(
            7,
            lines(
                "One reading of the tallies",
                "Does Postgres answer within a tick (100 ms)?",
                "s",
                quantiles("votestream_tick_duration_seconds"),
                limits=steps(DRAWN, (0.1, WARN)),
            ),
            lines(
                "Frames",
                "How many frames a second go out, and how many did slow viewers skip?",
                "short",
                [
                    Query("sum(rate(votestream_frames_sent_total{@}[@]))", "sent"),
                    Query("sum(rate(votestream_frames_skipped_total{@}[@]))", "skipped"),
                ],
            ),
            lines(
                "Change to viewer",
                "How late is a frame, at most, when it is written to its viewer? 1 s is the promise.",
                "s",
                quantiles("votestream_delivery_seconds"),
                limits=steps(DRAWN, (1, BAD)),
            ),
            lines(
                "Viewers by replica",
                "Are viewers spread evenly, and is anybody sent away?",
                "short",
                [
                    Query("sum by (instance) (votestream_viewers{@})", "{{instance}}"),
                    Query("sum(rate(votestream_viewers_refused_total{@}[@]))", "refused a second"),
                ],
            ),
        ),
        *saturation.ROWS,
    ],
)
