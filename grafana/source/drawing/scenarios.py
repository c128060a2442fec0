"""What Prometheus sees of a deployment in each scenario: the series of ten minutes, with a value every five seconds.

The fault begins after five minutes. The names and labels are those of docs/METRICS.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

STEP = 5
STEPS = 120
FAULT = 60
LABELS = {"cluster": "a", "namespace": "n", "deployment": "live"}
SERVICES = {"producer": ["p1", "p2"], "consumer": ["c1", "c2"], "dashboard": ["d1", "d2"]}
OUTCOMES = ["accepted", "already-voted", "not-open", "unavailable"]
# A replica that does not answer has no samples; Prometheus marks the end of its series.
GONE = "stale"

Values = list[float | str]
Series = dict[tuple[str, tuple[tuple[str, str], ...]], Values]


@dataclass(frozen=True)
class Scenario:
    """`series` returns everything that Prometheus has scraped."""

    name: str
    title: str
    series: Callable[[], Series]


def deployment(rate: float, viewers: int, waits: float = 0.02, **labels: str) -> Series:
    """A deployment that is well, with so many ballots per second and viewers."""
    series: Series = {}
    # Of two deployments, each has targets of its own.
    prefix = f"{labels['deployment']}-" if labels else ""

    def add(name: str, job: str, instance: str, values: Callable[[int], float], **more: str) -> None:
        whole = LABELS | labels | {"job": job, "instance": prefix + instance} | more
        series[name, tuple(sorted(whole.items()))] = [values(step) for step in range(STEPS + 1)]

    def grows(each: float, start: float = 0) -> Callable[[int], float]:
        return lambda step: start + each * STEP * step

    def stays(value: float) -> Callable[[int], float]:
        return lambda _: value

    for job, instances in SERVICES.items():
        share = rate / len(instances)
        for instance in instances:
            add("up", job, instance, stays(1))
            add("process_start_time_seconds", job, instance, stays(1))
            add("votestream_build_info", job, instance, stays(1), service=job, version="1", revision="x")
            add("votestream_http_requests_total", job, instance, grows(share), route="ballots", status="202")
            for dependency in ("redis", "postgres"):
                add("votestream_dependency_up", job, instance, stays(1), dependency=dependency)
    for instance in SERVICES["producer"]:
        for outcome in OUTCOMES:
            each = rate / 2 * {"accepted": 0.96, "already-voted": 0.03, "not-open": 0.01}.get(outcome, 0)
            add("votestream_ballots_total", "producer", instance, grows(each, 1000), outcome=outcome)
        add("votestream_publish_retries_total", "producer", instance, stays(0))
        add("votestream_publish_duration_seconds_count", "producer", instance, grows(rate / 20))
        add("votestream_redis_durable", "producer", instance, stays(1))
    for instance in SERVICES["consumer"]:
        counted = 0.96 * rate / 2
        add("votestream_votes_total", "consumer", instance, grows(counted, 900), outcome="counted")
        for bound in ("0.032", "2", "30", "+Inf"):
            le = {"le": bound}
            fast = bound != "0.032" or waits < 0.032
            add("votestream_ballot_to_commit_seconds_bucket", "consumer", instance, grows(fast * counted, 900), **le)
        add("votestream_ballot_to_commit_seconds_count", "consumer", instance, grows(counted, 900))
        for name in ("postgres_disk_full", "dead_letters_total", "vanished_entries_total", "audit_missing_ballots", "audit_drift_votes"):
            add(f"votestream_{name}", "consumer", instance, stays(0))
        for name in ("surplus_ballots", "votes_without_code", "unaccounted_voters"):
            add(f"votestream_audit_{name}", "consumer", instance, stays(0))
        for what in ("redis", "postgres"):
            add("votestream_retries_total", "consumer", instance, stays(0), what=what)
        for partition in ("0", "1"):
            of = {"partition": partition}
            add("votestream_stream_entries", "consumer", instance, stays(round(rate * waits / 2)), **of)
            for name in ("oldest_age_seconds", "oldest_pending_age_seconds"):
                add(f"votestream_stream_{name}", "consumer", instance, stays(waits if rate else 0), **of)
            for name in ("stream_lost_entries", "dead_letters_held"):
                add(f"votestream_{name}", "consumer", instance, stays(0), **of)
    for instance in SERVICES["dashboard"]:
        add("votestream_voters", "dashboard", instance, grows(0.96 * rate, 1_000))
        add("votestream_viewers", "dashboard", instance, stays(viewers / 2))
        add("votestream_viewers_max", "dashboard", instance, stays(15_000))
        add("votestream_board_read_timestamp_seconds", "dashboard", instance, grows(1, -0.1))
    for name in ("up", "process_start_time_seconds"):
        add(name, "canary", "k1", stays(1))
    add("votestream_build_info", "canary", "k1", stays(1), service="canary", version="1", revision="x")
    for outcome in ("shown", "refused", "unanswered", "not-shown", "no-results"):
        add("votestream_canary_ballots_total", "canary", "k1", grows(0.2 * (outcome == "shown")), outcome=outcome)
    add("votestream_canary_last_screen_seconds", "canary", "k1", stays(0.12))
    return series


def canary_meets(series: Series, outcome: str) -> Series:
    """The ballots of the canary end like this, each after ten seconds."""
    changed(series, "votestream_canary_ballots_total", lambda value, _: value)
    changed(series, "votestream_canary_ballots_total", lambda value, step: value + step // 3, outcome=outcome)
    changed(series, "votestream_canary_last_screen_seconds", lambda *_: "NaN")
    return series


def changed(series: Series, name: str, change: Callable[[float, int], float | str], **labels: str) -> None:
    """Changes the values of these series from the fault on; the second argument is the number of steps since then."""
    found = [key for key in series if key[0] == name and labels.items() <= dict(key[1]).items()]
    assert found, f"no series {name} {labels}"
    for key in found:
        values = series[key]
        series[key] = values[:FAULT] + [change(values[FAULT], step) for step in range(STEPS + 1 - FAULT)]


def dead(job: str) -> Series:
    """All replicas of a service die."""
    series = deployment(500, 10_000)
    for name, labels in list(series):
        if dict(labels)["job"] == job:
            changed(series, name, lambda _, step, name=name: 0 if name == "up" else GONE, job=job)
    # Without either of them nobody else is counted.
    changed(series, "votestream_voters", lambda value, _: value)
    return canary_meets(series, {"producer": "unanswered", "consumer": "not-shown"}[job])


def frozen_redis() -> Series:
    """Producers refuse every ballot; consumers can measure nothing, and count nothing."""
    series = deployment(500, 10_000)
    changed(series, "votestream_ballots_total", lambda value, _: value)
    changed(series, "votestream_ballots_total", lambda value, step: value + 250 * STEP * step, outcome="unavailable")
    for name in ("votes_total", "voters"):
        changed(series, f"votestream_{name}", lambda value, _: value)
    for part in ("bucket", "count"):
        changed(series, f"votestream_ballot_to_commit_seconds_{part}", lambda value, _: value)
    changed(series, "votestream_retries_total", lambda _, step: 2.0 * step, what="redis")
    for job in ("producer", "consumer"):
        changed(series, "votestream_dependency_up", lambda *_: 0, job=job, dependency="redis")
    for name in ("entries", "oldest_age_seconds", "oldest_pending_age_seconds", "lost_entries"):
        changed(series, f"votestream_stream_{name}", lambda *_: "NaN")
    for name in ("votestream_dead_letters_held", "votestream_redis_durable"):
        changed(series, name, lambda *_: "NaN")
    return canary_meets(series, "refused")


def full_postgres() -> Series:
    """Ballots are accepted, and none is counted: the disk of Postgres is full. Reading goes on."""
    series = deployment(500, 10_000)
    for name in ("votes_total", "voters"):
        changed(series, f"votestream_{name}", lambda value, _: value)
    for part in ("bucket", "count"):
        changed(series, f"votestream_ballot_to_commit_seconds_{part}", lambda value, _: value)
    changed(series, "votestream_retries_total", lambda _, step: 8.0 * step, what="postgres")
    changed(series, "votestream_postgres_disk_full", lambda *_: 1)
    changed(series, "votestream_stream_entries", lambda _, step: 240.0 * STEP * step)
    for name in ("oldest_age_seconds", "oldest_pending_age_seconds"):
        changed(series, f"votestream_stream_{name}", lambda _, step: float(STEP * step))
    return canary_meets(series, "not-shown")


def two_deployments() -> Series:
    """Live's producers are dead, while those of a rehearsal beside it are well."""
    return dead("producer") | deployment(50, 10, deployment="rehearsal")


SCENARIOS = [
    Scenario("idle-night", "an idle night", lambda: deployment(0, 3)),
    Scenario("show", "a show", lambda: deployment(500, 10_000)),
    Scenario("dead-producers", "all producers are dead", lambda: dead("producer")),
    Scenario("dead-consumers", "all consumers are dead", lambda: dead("consumer")),
    Scenario("frozen-redis", "Redis is frozen", frozen_redis),
    Scenario("full-postgres", "the disk of Postgres is full", full_postgres),
    Scenario("two-deployments", "the producers of one of two deployments are dead", two_deployments),
]
