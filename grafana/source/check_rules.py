"""Checks rules, alerts, their tests and runbooks, beyond the checks of promtool."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from source.rules import DASHBOARD

# Every alert and recorded sum says with these labels whose it is.
IDENTITY = "cluster, namespace, deployment"
LEVELS = {"instance", "service", "job", "job_partition"}
SEVERITIES = {"critical", "warning"}
HEADINGS = ["## What it means", "## Look here first", "## Do this"]
# Google SRE workbook, chapter 5: factor, long window, short window, severity.
BURNS = [
    ("14.4", "1h", "5m", "critical"),
    ("6", "6h", "30m", "critical"),
    ("3", "1d", "2h", "warning"),
    ("1", "3d", "6h", "warning"),
]


def check(root: Path) -> Iterator[str]:
    """Yields the faults, one line each."""
    rules = [
        rule
        for path in sorted((root / "prometheus/rules").glob("*.yml"))
        for group in read(path)["groups"]
        for rule in group["rules"]
    ]
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    alerts = [rule for rule in rules if "alert" in rule]
    yield from records(recorded, rules)
    yield from idle(root, recorded, rules)
    yield from identities(rules)
    yield from burns(alerts)
    yield from runbooks(root, alerts)
    for alert in alerts:
        for finding in fields(alert):
            yield f"alert {name(alert)}: {finding}"
    tests = [test for path in sorted((root / "prometheus/tests").glob("*.yml")) for test in read(path)["tests"]]
    for alert in alerts:
        for finding in tested(alert, tests, recorded):
            yield f"alert {name(alert)}: {finding}"


def read(path: Path) -> dict:
    """Reads YAML with the parser in C: the files are long, and the tests with planted mistakes read them often."""
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def name(alert: dict) -> str:
    labels = {key: value for key, value in alert.get("labels", {}).items() if key in ("severity", "window")}
    return f"{alert['alert']} ({', '.join(labels.values())})"


def records(recorded: dict[str, str], rules: list[dict]) -> Iterator[str]:
    for metric in recorded:
        level, *rest = metric.split(":")
        if level not in LEVELS or len(rest) != 2 or not all(re.fullmatch(r"[a-z]\w*", part) for part in rest):
            yield f"{metric} is not named level:metric:operation"
    for rule in rules:
        for metric in re.findall(r"\b\w+:\w+:\w+\b", rule["expr"]):
            if metric not in recorded:
                yield f"{rule.get('alert') or rule.get('record')} uses {metric}, which is not recorded"


def identities(rules: list[dict]) -> Iterator[str]:
    """Checks that no sum adds several deployments. What Kubernetes reports has a namespace, and no deployment of ours."""
    for rule in rules:
        for operator, grouping in re.findall(r"(?<![:\w])(sum|max|min|count|avg)( by \([^)]*\))? ?\(", rule["expr"]):
            wanted = "cluster, namespace" if "kube_" in rule["expr"] else IDENTITY
            if not grouping.startswith(f" by ({wanted}"):
                yield f"{rule.get('alert') or rule.get('record')} has {operator}{grouping}, which mixes deployments"


def idle(root: Path, recorded: dict[str, str], rules: list[dict]) -> Iterator[str]:
    """Checks that every recorded sum is used, because Prometheus computes it at each evaluation."""
    used = {metric for rule in rules for metric in re.findall(r"\b\w+:\w+:\w+\b", rule["expr"])}
    for path in (root / "dashboards").glob("*.json"):
        used |= set(re.findall(r"\b\w+:\w+:\w+\b", path.read_text()))
    for metric in recorded:
        if metric not in used:
            yield f"{metric} is recorded, and used by nobody"


def burns(alerts: list[dict]) -> Iterator[str]:
    """Checks that each objective has alerts on the four burn rates, each with its two windows and its severity."""
    slos = {alert["labels"].get("slo") for alert in alerts if "slo" in alert.get("labels", {})}
    for slo in sorted(slos):
        own = [alert for alert in alerts if alert["labels"].get("slo") == slo]
        for factor, long, short, severity in BURNS:
            limit = rf"> {re.escape(factor)} \* [\d.]+"
            pattern = rf"_errors:ratio_rate{long} {limit} and job:\w+_errors:ratio_rate{short} {limit}"
            if not any(re.search(pattern, alert["expr"]) and alert["labels"]["severity"] == severity for alert in own):
                yield f"objective {slo} has no {severity} at {factor} within {long} and {short}"


def fields(alert: dict) -> Iterator[str]:
    notes = alert.get("annotations", {})
    if alert.get("labels", {}).get("severity") not in SEVERITIES:
        yield "no severity"
    if alert.get("labels", {}).get("service") != "votestream":
        yield "no label service"
    if not notes.get("summary"):
        yield "no summary"
    if "$value" not in notes.get("description", ""):
        yield "no description with the value"
    expected = f'{{{{ or $externalLabels.runbooks "grafana/runbooks" }}}}/{alert["alert"]}.md'
    if notes.get("runbook_url") != expected:
        yield f"runbook_url is not {expected}"
    if notes.get("dashboard_url") != DASHBOARD:
        yield f"dashboard_url is not {DASHBOARD}"


def runbooks(root: Path, alerts: list[dict]) -> Iterator[str]:
    names = {alert["alert"] for alert in alerts}
    files = {path.stem: path for path in (root / "runbooks").glob("*.md") if path.stem != "README"}
    titles = {
        title
        for path in (root / "dashboards").glob("*.md")
        for title in re.findall(r"\*\*(.+?)\.\*\*", " ".join(path.read_text().split()))
    }
    for alert in sorted(names - files.keys()):
        yield f"alert {alert} has no runbook"
    for file in sorted(files.keys() - names):
        yield f"runbook {file} has no alert"
    for stem, path in sorted(files.items()):
        text = path.read_text()
        places = [text.find(heading) for heading in HEADINGS]
        if -1 in places or places != sorted(places):
            yield f"runbook {stem} has not the headings {', '.join(HEADINGS)}"
        if not re.search(r"^    \S", text, re.MULTILINE):
            yield f"runbook {stem} has no command"
        for linked in re.findall(r"\]\((\w+)\.md\)", text):
            if linked not in files:
                yield f"runbook {stem} leads to {linked}, which is not there"
        for title in re.findall(r"(?<![*\w])\*([A-Z][^*]+?)\*(?![*\w])", " ".join(text.split())):
            if title not in titles:
                yield f"runbook {stem} names a panel {title}, which is on no dashboard"


def tested(alert: dict, tests: list[dict], recorded: dict[str, str]) -> Iterator[str]:
    """Checks that an alert has a test in which it fires, and one with data in which it does not fire."""
    own = alert["labels"].items()
    metrics = leaves(alert["expr"], recorded)
    fires = silent = False
    for test in tests:
        fed = {re.split(r"[{\s]", series["series"])[0] for series in test["input_series"]}
        for case in test.get("alert_rule_test", []):
            if case["alertname"] != alert["alert"]:
                continue
            if any(own <= expected["exp_labels"].items() for expected in case["exp_alerts"]):
                fires = True
            elif fed & metrics:
                silent = True
    if not fires:
        yield "no test in which it fires"
    if not silent:
        yield "no test in which it is fed and does not fire"


def leaves(expr: str, recorded: dict[str, str]) -> set[str]:
    """Returns the names in an expression, and those in the recorded sums that it uses."""
    names = set(re.findall(r"[a-zA-Z_][\w:]*", expr))
    for metric in names & recorded.keys():
        names |= leaves(recorded[metric], recorded)
    return names
