"""The service level objectives: the promises, and how each is measured.

Rules and dashboards are both made from this list, so they cannot disagree. Ratios count events, not time: a minute
without ballots spends no budget.
"""

from dataclasses import dataclass

# Prometheus 3 writes the bucket bound 2 as "2.0", Prometheus 2 writes it as "2".
WITHIN_2_S = r'le=~"2(\\.0)?"'
WITHIN_1_S = r'le=~"1(\\.0)?"'

# Windows for which the ratio is recorded, besides PERIOD, which the error budget covers.
WINDOWS = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]
PERIOD = "30d"


@dataclass(frozen=True)
class Objective:
    """One promise. `bad` and `all` are PromQL for events per second, averaged over `{window}`."""

    key: str
    alert: str
    promise: str
    target: float
    bad: str
    all: str

    @property
    def budget(self) -> float:
        """The share of events that may be bad, between 0 and 1."""
        return round(1 - self.target, 6)

    def rate(self, which: str) -> str:
        """The name of the recorded rate of bad events, or of all."""
        return f"job:votestream_{self.key}_{which}:rate{WINDOWS[0]}"

    def events(self, window: str) -> str:
        """PromQL for the number of bad events within `window`."""
        rate = self.rate("bad")
        return f"{rate if window == WINDOWS[0] else f'avg_over_time({rate}[{window}])'} * {seconds(window)}"

    def ratio(self, window: str) -> str:
        """The name of the recorded share of bad events within `window`."""
        return f"job:votestream_{self.key}_errors:ratio_rate{window}"


def seconds(window: str) -> int:
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86400}[window[-1]]


@dataclass(frozen=True)
class Burn:
    """An alert on the budget: it burns at over `factor` times its planned rate in both windows, by enough events."""

    factor: float
    long: str
    short: str
    severity: str
    # At least so many bad events within the short window: in a quiet night a single one is a large share.
    events: int


# From the Google SRE workbook, chapter 5, table 5-8, for a budget of 30 days.
BURNS = [
    Burn(14.4, "1h", "5m", "critical", 10),
    Burn(6, "6h", "30m", "critical", 10),
    Burn(3, "1d", "2h", "warning", 10),
    Burn(1, "3d", "6h", "warning", 10),
]

OBJECTIVES = [
    Objective(
        key="accepting",
        alert="AcceptingBudgetBurns",
        promise="99.9 % of the ballots that may be accepted are accepted, not answered 503",
        target=0.999,
        bad=(
            'sum by (cluster, namespace, deployment, job) (rate(votestream_ballots_total{{outcome="unavailable"}}[{window}]))\n'
            'or 0 * sum by (cluster, namespace, deployment, job) (rate(votestream_ballots_total{{outcome="accepted"}}[{window}]))'
        ),
        all='sum by (cluster, namespace, deployment, job) (rate(votestream_ballots_total{{outcome=~"accepted|unavailable"}}[{window}]))',
    ),
    Objective(
        key="freshness",
        alert="FreshnessBudgetBurns",
        promise="99 % of votes are counted within 2 s of being accepted",
        target=0.99,
        bad=(
            "sum by (cluster, namespace, deployment, job) (rate(votestream_ballot_to_commit_seconds_count[{window}]))\n"
            "- sum by (cluster, namespace, deployment, job) (rate(votestream_ballot_to_commit_seconds_bucket"
            f"{{{{{WITHIN_2_S}}}}}[{{window}}]))"
        ),
        all="sum by (cluster, namespace, deployment, job) (rate(votestream_ballot_to_commit_seconds_count[{window}]))",
    ),
    Objective(
        key="delivery",
        alert="DeliveryBudgetBurns",
        promise="99 % of frames reach their viewer within 1 s of the change that they show",
        target=0.99,
        bad=(
            "sum by (cluster, namespace, deployment, job) (rate(votestream_delivery_seconds_count[{window}]))\n"
            "- sum by (cluster, namespace, deployment, job) (rate(votestream_delivery_seconds_bucket"
            f"{{{{{WITHIN_1_S}}}}}[{{window}}]))"
        ),
        all="sum by (cluster, namespace, deployment, job) (rate(votestream_delivery_seconds_count[{window}]))",
    ),
]
