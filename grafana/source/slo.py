"""The objectives: kept or not, what is left, and how fast it goes."""

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
                f"Is the promise kept, over {days} days? {objective.target:.1%} is the aim.",
                "percentunit",
                f"1 - max({spent})",
                steps((None, BAD), (objective.target, GOOD)),
                decimals=3,
            ),
            number(
                f"{name}: budget left",
                "How much of the errors that the promise allows is left? Below 0 it is broken.",
                "percentunit",
                f"min(1 - {spent} / {budget})",
                steps((None, BAD), (0, WARN), (0.25, GOOD)),
                decimals=1,
            ),
            lines(
                f"{name} now",
                "What share is good at present? Gaps are times without any events.",
                "percentunit",
                [Query(LIVE[objective.key], "good")],
                limits=steps((None, BAD), (objective.target, "transparent")),
                min_val=None,
                max_val=1,
            ),
            lines(
                f"{name}: burn rates",
                "How fast is the budget spent, in each window? At 1 it lasts exactly "
                f"{days} days. Pages come at 14.4 (1h and 5m) and 6 (6h and 30m), tickets at 3 and 1.",
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
    about="What is promised to voters and viewers, whether it is kept, and how much may still go wrong.",
    reading=(
        "One row a promise. Ratios are of events, so that a quiet night neither earns nor spends anything. An alert "
        "needs two windows above its rate: the long one says that it matters, the short one that it still goes on."
    ),
    since="now-6h",
    rows=[row for objective in OBJECTIVES for row in rows(objective)]
    + [
        "What is told",
        Row(
            6,
            lines(
                "Burn alerts",
                "When did which budget alert fire? 1 while it does.",
                "short",
                [
                    Query(
                        'max by (alertname, window) (ALERTS{#, alertname=~".+BudgetBurns", alertstate="firing"})',
                        "{{alertname}} {{window}}",
                        "none fires",
                    )
                ],
                max_val=1,
            ),
        ),
    ],
)
