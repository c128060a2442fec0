"""The overview: one screen, for whoever is on call while a show is live."""

from source.boards import Board, Row
from source.objectives import OBJECTIVES, PERIOD
from source.panels import BAD, CALM, GOOD, NEVER, WARN, Query, lines, number, quantile, quantiles, rows_of, steps

BACKLOG = "sum(max by (job, partition) (votestream_stream_entries{@}))"
DONE = "(sum(rate(votestream_votes_total{@}[@])) + sum(rate(votestream_dead_letters_total{@}[@])))"
REFUSED = (
    '(sum(rate(votestream_ballots_total{@, outcome="unavailable"}[@]))'
    ' or 0 * sum(rate(votestream_ballots_total{@, outcome="accepted"}[@])))'
    ' / (sum(rate(votestream_ballots_total{@, outcome=~"accepted|unavailable"}[@])) > 0)'
)
CLICK_TO_COUNT = "votestream_ballot_to_commit_seconds"
CANARY = "votestream_canary"
# The canary's silence is known for six hours after it stopped. A deployment without one is not silent.
NO_CANARY = 'service:votestream_silence:seconds{&} unless on () service:votestream_silence:seconds{&, component="canary"}'
OUTCOME_COLORS = {
    "accepted": GOOD,
    "unavailable": BAD,
    "already-voted": WARN,
    "code-used": "yellow",
    "bad-code": "purple",
}

# Quantiles of a histogram end at its last bound, 30 s; above it, the age of the oldest ballot that waits says more.
P99 = quantile(0.99, CLICK_TO_COUNT)
P99_UNCAPPED = f"{P99} < 30 or on () (max(votestream_stream_oldest_age_seconds{{@}}) > 30) or on () {P99} >= 30"
# Some alerts have a namespace and no deployment.
OURS = (
    'service="votestream", cluster=~"|$cluster", namespace=~"|$namespace", deployment=~"|$deployment"'
)

BOARD = Board(
    uid="votestream-overview",
    file="overview",
    title="Votestream: overview",
    about=(
        "A live vote on one screen: do ballots arrive, is anything late, how much budget is left, and which alerts "
        "fire."
    ),
    reading=(
        "Begin at the top left: each firing alert has the name of its runbook, which is a file in `grafana/runbooks`. The "
        "numbers beside it follow a ballot from the click to the screen, as it is now. Green and blue mean that all is "
        "well. A red `silent` means that Prometheus has no figure at all, and `none` that nothing happens. The variables at "
        "the top choose one deployment."
    ),
    rows=[
        Row(
            5,
            rows_of(
                "Firing alerts",
                "Which alerts of this deployment fire now, and since when was their condition true? Each has the name of its "
                "runbook.",
                "s",
                Query(
                    f"time() - min by (alertname, severity) (ALERTS_FOR_STATE{{{OURS}}})"
                    f' and on (alertname, severity) ALERTS{{alertstate="firing", {OURS}}}',
                    "",
                    "none fires",
                ),
                "age",
                {"alertname": "${runbooks}/${__value.text}.md"},
                {"severity": {"critical": BAD, "warning": WARN}},
            ),
            number(
                "Silent for",
                "Since when has a service not answered? Time since any of its replicas last answered Prometheus, for each "
                "service.",
                "s",
                "max by (component) (service:votestream_silence:seconds{&})",
                steps((None, GOOD), (20, BAD)),
                decimals=0,
                legend="{{component}}",
            ),
            number(
                "Accepted",
                "Do ballots arrive? Ballots that were acknowledged, per second.",
                "short",
                'sum(rate(votestream_ballots_total{@, outcome="accepted"}[@]))',
            ),
            number(
                "Refused",
                "Are voters turned away? Share of ballots that were answered 503 although they could have been "
                "accepted.",
                "percentunit",
                REFUSED,
                steps((None, GOOD), (0.001, WARN), (0.05, BAD)),
                decimals=2,
                idle="votestream_ballots_total{@}",
            ),
            number(
                "Click to count, p99",
                "How late is the bar? Time from storing a ballot in Redis to its commit in Postgres, for 99 of 100 "
                "ballots; above 30 s, the age of the oldest ballot that waits. The promise is 2 s.",
                "s",
                P99_UNCAPPED,
                steps((None, GOOD), (1, WARN), (2, BAD)),
                idle=f"{CLICK_TO_COUNT}_count{{@}}",
            ),
            number(
                "Oldest entry",
                "Do ballots get stuck? Age of the oldest ballot that is not counted yet.",
                "s",
                "max(votestream_stream_oldest_age_seconds{@})",
                steps((None, GOOD), (5, WARN), (30, BAD)),
            ),
            widths=(6, 6, 3, 3, 3, 3),
        ),
        Row(
            4,
            number(
                "Time to drain",
                "How long until every ballot is counted, at the present rate and if no further ballot arrived? `never` "
                "while ballots wait and none is counted.",
                "s",
                f"clamp_max(({BACKLOG} > 0) / {DONE}, {NEVER}) or on () 0 * {BACKLOG}",
                steps((None, GOOD), (10, WARN), (60, BAD)),
                words={NEVER // 1000: "never"},
            ),
            number(
                "Click to screen",
                "Does a vote get from one end to the other? Time from the click until the live results showed the last vote of the "
                "canary, a machine that votes all the time. `never` if its last ballot was not shown; `none` if there is no canary.",
                "s",
                f"max({CANARY}_last_screen_seconds{{@}} >= 0)"
                f" or on () {NEVER} + 0 * max({CANARY}_ballots_total{{@}})",
                steps((None, GOOD), (1, WARN), (3, BAD)),
                idle=NO_CANARY,
                words={NEVER // 1000: "never"},
            ),
            number(
                "Viewers",
                "How many people watch? Event streams that are open at all dashboards.",
                "locale",
                "sum(votestream_viewers{@})",
                decimals=0,
            ),
            number(
                "Results read",
                "Are the results that people see fresh? Time since the slowest dashboard last read the tally. The least "
                "value within the time range is taken for the difference of the clocks.",
                "s",
                "max(instance:votestream_board_delay:seconds{@}"
                " - min_over_time(instance:votestream_board_delay:seconds{@}[$__range]))",
                steps((None, GOOD), (6, WARN), (30, BAD)),
                decimals=1,
            ),
            number(
                "Replicas missing",
                "Is a replica down? Number of replicas that do not answer Prometheus.",
                "short",
                "sum(service:votestream_replicas:count{&}) - sum(service:votestream_replicas_up:sum{&})",
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            number(
                "Turnout",
                "How many voters are counted, in all polls that are not archived and whose results everybody may see? Exact: a "
                "dashboard reads the number from Postgres. Polls with hidden results are left out.",
                "locale",
                "max(votestream_voters{@})",
                steps((None, CALM)),
                decimals=0,
            ),
            number(
                "Lost or wrong",
                "Is every acknowledged ballot counted once, and nothing else? Sum of the entries that were deleted, the "
                "ballots and voters that the audit misses, the ballots that no producer accepted, the votes without a code, and the votes by "
                "which the tally is wrong. Must be 0.",
                "locale",
                "sum(votestream_vanished_entries_total{@})"
                " + sum(max by (job, partition) (votestream_stream_lost_entries{@}))"
                " + max(votestream_audit_missing_ballots{@}) + max(votestream_audit_unaccounted_voters{@})"
                " + max(votestream_audit_drift_votes{@})"
                # Surplus ballots are NaN where the audit cannot know their number.
                " + (max(votestream_audit_surplus_ballots{@}) >= 0 or 0 * max(votestream_audit_drift_votes{@}))"
                " + (max(votestream_audit_votes_without_code{@}) or 0 * max(votestream_audit_drift_votes{@}))",
                steps((None, GOOD), (1, BAD)),
                decimals=0,
            ),
            widths=(3, 4, 3, 3, 3, 4, 4),
        ),
        Row(
            7,
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
                "These are capped at 30 s; the age of the oldest ballot that still waits is not. The dashed line is the "
                "promise.",
                "s",
                [
                    *quantiles(CLICK_TO_COUNT),
                    Query("max(votestream_stream_oldest_age_seconds{@})", "the oldest that waits"),
                ],
                limits=steps((None, "transparent"), (2, BAD)),
            ),
        ),
        Row(
            6,
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
        ),
    ],
)
