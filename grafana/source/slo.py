"""The objectives: whether they are kept, how much budget is left, and how fast it is spent."""

from source.boards import Board, Row
from source.objectives import BURNS, OBJECTIVES, PERIOD, Objective
from source.panels import BAD, GOOD, WARN, Query, lines, number, steps

LIVE = {
    "accepting": (
        'sum(rate(votestream_ballots_total{@, outcome="accepted"}[@]))'
        ' / (sum(rate(votestream_ballots_total{@, outcome=~"accepted|unavailable"}[@])) > 0)'
    ),
    "freshness": (
        'sum(rate(votestream_ballot_to_commit_seconds_bucket{@, le=~"2(\\\\.0)?"}[@]))'
        " / (sum(rate(votestream_ballot_to_commit_seconds_count{@}[@])) > 0)"
    ),
    "delivery": (
        'sum(rate(votestream_delivery_seconds_bucket{@, le=~"1(\\\\.0)?"}[@]))'
        " / (sum(rate(votestream_delivery_seconds_count{@}[@])) > 0)"
    ),
}


def rows(objective: Objective) -> list[Row | str]:
    name = objective.key.capitalize()
    days = PERIOD[:-1]
    spent = f"{objective.ratio(PERIOD)}{{#}}"
    budget = f"{objective.budget:g}"
    windows = sorted({window for burn in BURNS for window in (burn.long, burn.short)}, key=hours)
    return [
        f"{name}: {objective.promise}",
        Row(
            7,
            number(
                f"{name}, {days} days",
                f"Which share of events was good within {days} days? The objective is {objective.target:.1%}.",
                "percentunit",
                f"1 - max({spent})",
                steps((None, BAD), (objective.target, GOOD)),
                decimals=3,
                idle=f"{objective.rate('all')}{{#}}",
            ),
            number(
                f"{name}: budget left",
                "How much of the error budget is left? Below 0 the promise is broken.",
                "percentunit",
                f"min(1 - {spent} / {budget})",
                steps((None, BAD), (0, WARN), (0.25, GOOD)),
                decimals=1,
                idle=f"{objective.rate('all')}{{#}}",
            ),
            lines(
                f"{name} now",
                "Which share of events is good at present? There is a gap where there were no events.",
                "percentunit",
                [Query(LIVE[objective.key], "good")],
                limits=steps((None, BAD), (objective.target, "transparent")),
                min_val=None,
                max_val=1,
            ),
            lines(
                f"{name}: burn rates",
                "How fast is the error budget spent, in each window? At 1 it lasts exactly "
                f"{days} days. Critical alerts fire at 14.4 (1h and 5m) and 6 (6h and 30m), warnings at 3 (1d and 2h) and 1 "
                "(3d and 6h).",
                "short",
                [Query(f"max({objective.ratio(window)}{{#}}) / {budget}", window) for window in windows],
                limits=steps((None, "transparent"), (1, WARN), (14.4, BAD)),
                table_legend=True,
            ),
            widths=(4, 4, 8, 8),
        ),
    ]


def hours(window: str) -> float:
    return float(window[:-1]) * {"m": 1 / 60, "h": 1, "d": 24}[window[-1]]


BOARD = Board(
    uid="votestream-slo",
    file="slo",
    title="Votestream: objectives",
    about="The promises to voters and viewers, whether they are kept, and how much of each error budget is left.",
    reading=(
        "There is one row for each promise. Ratios count events, not time, so a night without votes changes nothing. "
        "An alert fires when the burn rate is above its limit in two windows: the long window shows that the errors "
        "matter, the short one that they still go on."
    ),
    since="now-6h",
    rows=[row for objective in OBJECTIVES for row in rows(objective)]
    + [
        "Alerts on error budgets",
        Row(
            6,
            lines(
                "Burn alerts",
                "Which alerts on error budgets fire, and when did they? 1 while an alert fires.",
                "short",
                [
                    Query(
                        'max by (alertname, window) (ALERTS{#, service="votestream", '
                        'alertname=~".+BudgetBurns", alertstate="firing"})',
                        "{{alertname}} {{window}}",
                        "none fires",
                    )
                ],
                max_val=1,
            ),
        ),
    ],
)
