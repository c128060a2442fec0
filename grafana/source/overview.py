"""The overview: one screen, for whoever is on call while a show is live."""

from grafana_foundation_sdk.builders.dashboard import TextBoxVariable

from source.boards import Board, Row
from source.objectives import OBJECTIVES, PERIOD
from source.panels import BAD, GOOD, WARN, Query, lines, number, quantile, quantiles, rows_of, steps

BACKLOG = "sum(max by (job, partition) (votestream_stream_entries{@}))"
DONE = "(sum(rate(votestream_votes_total{@}[@])) + sum(rate(votestream_dead_letters_total{@}[@])))"
REFUSED = (
    '(sum(rate(votestream_ballots_total{@, outcome="unavailable"}[@]))'
    ' or 0 * sum(rate(votestream_ballots_total{@, outcome="accepted"}[@])))'
    ' / (sum(rate(votestream_ballots_total{@, outcome=~"accepted|unavailable"}[@])) > 0)'
)
CLICK_TO_COUNT = "votestream_ballot_to_commit_seconds"
OUTCOME_COLORS = {
    "accepted": GOOD,
    "unavailable": BAD,
    "already-voted": WARN,
    "code-used": "yellow",
    "bad-code": "purple",
}

BOARD = Board(
    uid="votestream-overview",
    file="overview",
    title="Votestream: overview",
    about=(
        "A live vote on one screen: do ballots arrive, is anything late, how much budget is left, and which alerts "
        "fire."
    ),
    reading=(
        "Read the top row from left to right: it follows a ballot from the click to the screen. Green and blue mean "
        "that all is well. If a panel has another colour, look at *Firing alerts*: each alert has the name of its "
        "runbook, which is a file in `grafana/runbooks`."
    ),
    more=[TextBoxVariable("runbooks").label("Runbooks at").default_value("https://example.org/grafana/runbooks")],
    rows=[
        Row(
            4,
            number(
                "Accepted",
                "Do ballots arrive? Ballots that were acknowledged, per second.",
                "short",
                'sum(rate(votestream_ballots_total{@, outcome="accepted"}[@]))',
                decimals=0,
            ),
            number(
                "Refused",
                "Are voters turned away? Share of ballots that were answered 503 although they could have been "
                "accepted.",
                "percentunit",
                REFUSED,
                steps((None, GOOD), (0.001, WARN), (0.05, BAD)),
                decimals=2,
            ),
            number(
                "Click to count, p99",
                "How late is the bar? Time from storing a ballot in Redis to its commit in Postgres, for 99 of 100 "
                "ballots. The promise is 2 s.",
                "s",
                quantile(0.99, CLICK_TO_COUNT),
                steps((None, GOOD), (1, WARN), (2, BAD)),
            ),
            number(
                "Oldest entry",
                "Do ballots get stuck? Age of the oldest ballot that is not counted yet.",
                "s",
                "max(votestream_stream_oldest_age_seconds{@})",
                steps((None, GOOD), (5, WARN), (30, BAD)),
            ),
            number(
                "Time to drain",
                "How long until every ballot is counted, at the present rate and if no further ballot arrived? "
                "Shows `none` while nothing is counted.",
                "s",
                f"{BACKLOG} / ({DONE} > 0)",
                steps((None, GOOD), (10, WARN), (60, BAD)),
            ),
            number(
                "Viewers",
                "How many people watch? Event streams that are open at all dashboards.",
                "short",
                "sum(votestream_viewers{@})",
                decimals=0,
            ),
            number(
                "Results read",
                "Are the results that people see fresh? Time since the slowest dashboard last read the tally.",
                "s",
                "max(timestamp(votestream_board_read_timestamp_seconds{@})"
                " - votestream_board_read_timestamp_seconds{@})",
                steps((None, GOOD), (2, WARN), (5, BAD)),
                decimals=1,
            ),
            number(
                "Replicas missing",
                "Is a replica down? Number of replicas that do not answer Prometheus.",
                "short",
                "count(up{@} == 0) or vector(0)",
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
        ),
        Row(
            8,
            lines(
                "Ballots by outcome",
                "Which answers do voters get? Answers per second: `accepted`, or the name of the problem. "
                "`unavailable` is a fault of the system; the other problems concern the voter's own ballot, for example "
                "`code-used` (the voting code has a vote already) and `bad-code` (no such code).",
                "short",
                [Query("sum by (outcome) (rate(votestream_ballots_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
                colors=OUTCOME_COLORS,
            ),
            lines(
                "Click to count",
                "How much time passes from storing a ballot to counting it, for 50, 95 and 99 of 100 ballots? "
                "The dashed line is the promise.",
                "s",
                quantiles(CLICK_TO_COUNT),
                limits=steps((None, "transparent"), (2, BAD)),
            ),
            number(
                "Turnout",
                "How many voters were counted for the first time, within the time range of the dashboard?",
                "short",
                'sum(increase(votestream_votes_total{@, outcome="counted"}[$__range]))',
                decimals=0,
                instant=True,
            ),
            widths=(10, 10, 4),
        ),
        Row(
            7,
            lines(
                "Backlog",
                "How many ballots wait to be counted, and do they become fewer? Entries in the streams, whether "
                "delivered to a consumer (pending) or not (lag).",
                "short",
                [Query(BACKLOG, "entries")],
            ),
            lines(
                "Errors",
                "Which errors occur, per second? Requests answered with a 5xx status, round trips that were repeated, "
                "and entries that became dead letters.",
                "short",
                [
                    Query(
                        'sum by (job) (rate(votestream_http_requests_total{@, status=~"5.."}[@]))'
                        " or 0 * sum by (job) (rate(votestream_http_requests_total{@}[@]))",
                        "{{job}} 5xx",
                    ),
                    Query("sum(rate(votestream_publish_retries_total{@}[@]))", "producer to redis, repeated"),
                    Query("sum by (what) (rate(votestream_retries_total{@}[@]))", "consumer to {{what}}, repeated"),
                    Query("sum(rate(votestream_dead_letters_total{@}[@]))", "dead letters"),
                ],
            ),
            lines(
                "Replicas",
                "How many replicas of each service are up?",
                "short",
                [Query("sum by (job) (up{@})", "{{job}}")],
            ),
            number(
                "Lost or wrong",
                "Is every acknowledged ballot counted once, and nothing else? Sum of the entries that were deleted, the "
                "ballots that the audit misses or that no producer accepted, the votes without a code, and the votes by "
                "which the tally is wrong. Must be 0.",
                "short",
                "sum(votestream_vanished_entries_total{@})"
                " + sum(max by (job, partition) (votestream_stream_lost_entries{@}))"
                " + max(votestream_audit_missing_ballots{@}) + max(votestream_audit_drift_votes{@})"
                # Surplus ballots are NaN where the audit cannot know their number.
                " + (max(votestream_audit_surplus_ballots{@}) >= 0 or 0 * max(votestream_audit_drift_votes{@}))"
                " + (max(votestream_audit_votes_without_code{@}) or 0 * max(votestream_audit_drift_votes{@}))",
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            lines(
                "Budget left",
                f"How much of the error budget of {PERIOD[:-1]} days is left, for each promise? Below 0 the promise "
                "is broken.",
                "percentunit",
                [
                    Query(f"min(1 - {objective.ratio(PERIOD)}{{#}} / {objective.budget:g})", objective.key)
                    for objective in OBJECTIVES
                ],
                limits=steps((None, BAD), (0, BAD), (0.25, WARN)),
                max_val=1,
                min_val=None,
            ),
            rows_of(
                "Firing alerts",
                "Which alerts fire now? Each has the name of its runbook.",
                "short",
                Query('count by (alertname, severity) (ALERTS{alertstate="firing"})', "", "none fires"),
                ["Time", "Value"],
                {"alertname": "${runbooks}/${__value.text}.md"},
            ),
            widths=(5, 5, 3, 3, 4, 4),
        ),
    ],
)
