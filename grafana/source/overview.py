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
OUTCOME_COLORS = {"accepted": GOOD, "unavailable": BAD, "already-voted": WARN}

BOARD = Board(
    uid="votestream-overview",
    file="overview",
    title="Votestream: overview",
    about="A live show on one screen: do votes flow, what is late, what is left, what to do.",
    reading=(
        "Read the top row from left to right: it follows a ballot from the click to the screen. Green and blue are "
        "well. If something is not, *Firing alerts* names the runbook; each is a file in `grafana/runbooks`."
    ),
    more=[TextBoxVariable("runbooks").label("Runbooks at").default_value("https://example.org/grafana/runbooks")],
    rows=[
        Row(
            4,
            number(
                "Accepted",
                "Do votes flow? Ballots that were acknowledged, a second.",
                "short",
                'sum(rate(votestream_ballots_total{@, outcome="accepted"}[@]))',
                decimals=0,
            ),
            number(
                "Refused",
                "Are voters turned away? Share of ballots answered 503, of those that were to be accepted.",
                "percentunit",
                REFUSED,
                steps((None, GOOD), (0.001, WARN), (0.05, BAD)),
                decimals=2,
            ),
            number(
                "Click to count, p99",
                "How late is the bar? From Redis storing a ballot to its commit, all but one in "
                "a hundred; 2 s is the promise.",
                "s",
                quantile(0.99, CLICK_TO_COUNT),
                steps((None, GOOD), (1, WARN), (2, BAD)),
            ),
            number(
                "Oldest entry",
                "Is anything stuck? Age of the oldest ballot that is not counted yet.",
                "s",
                "max(votestream_stream_oldest_age_seconds{@})",
                steps((None, GOOD), (5, WARN), (30, BAD)),
            ),
            number(
                "Time to drain",
                "How long until all is counted, at the present rate, if no further ballot came? "
                "None while nothing is being counted.",
                "s",
                f"{BACKLOG} / ({DONE} > 0)",
                steps((None, GOOD), (10, WARN), (60, BAD)),
            ),
            number(
                "Viewers",
                "How many watch? Event streams held by all dashboards.",
                "short",
                "sum(votestream_viewers{@})",
                decimals=0,
            ),
            number(
                "Results read",
                "Is what they see fresh? How long ago the dashboard that is furthest behind read the tally.",
                "s",
                "max(timestamp(votestream_board_read_timestamp_seconds{@})"
                " - votestream_board_read_timestamp_seconds{@})",
                steps((None, GOOD), (2, WARN), (5, BAD)),
                decimals=1,
            ),
            number(
                "Replicas missing",
                "Is everybody there? Replicas that do not answer Prometheus.",
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
                "What are voters told? Answers a second: accepted, or the name of the problem. "
                "`unavailable` is ours, the rest is a voter's matter.",
                "short",
                [Query("sum by (outcome) (rate(votestream_ballots_total{@}[@])) > 0", "{{outcome}}")],
                stacked=True,
                colors=OUTCOME_COLORS,
            ),
            lines(
                "Click to count",
                "How long from the acknowledgement to the count, for half of the ballots, for most, for "
                "all but one in a hundred? The dashed line is the promise.",
                "s",
                quantiles(CLICK_TO_COUNT),
                limits=steps((None, "transparent"), (2, BAD)),
            ),
            number(
                "Turnout",
                "How many people were counted within the time that is shown?",
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
                "How much waits to be counted, and does it shrink? Entries in the streams: lag and pending.",
                "short",
                [Query(BACKLOG, "entries")],
            ),
            lines(
                "Errors",
                "What fails, a second: requests answered 5xx, round trips that were repeated, ballots set aside.",
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
            lines("Replicas", "How many of each are up?", "short", [Query("sum by (job) (up{@})", "{{job}}")]),
            number(
                "Lost or wrong",
                "Does every acknowledged ballot count, once? Entries that were deleted, ballots that the "
                "audit misses, and votes by which the tally is wrong. Must be 0.",
                "short",
                "sum(votestream_vanished_entries_total{@})"
                " + sum(max by (job, partition) (votestream_stream_lost_entries{@}))"
                " + max(votestream_audit_missing_ballots{@}) + max(votestream_audit_drift_votes{@})",
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            lines(
                "Budget left",
                f"How much of the error budget of {PERIOD[:-1]} days is left, by promise? Below 0 it is overspent.",
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
                "What to do? The alerts that fire now, each the name of its runbook.",
                "short",
                Query('count by (alertname, severity) (ALERTS{alertstate="firing"})', "", "none fires"),
                ["Time", "Value"],
                {"alertname": "${runbooks}/${__value.text}.md"},
            ),
            widths=(5, 5, 3, 3, 4, 4),
        ),
    ],
)
