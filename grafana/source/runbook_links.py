"""Links from panels to runbooks: a panel leads to the runbook of each alert that goes by the same metric."""

import re
from functools import cache
from pathlib import Path

import yaml
from grafana_foundation_sdk.models.dashboard import DashboardLink, DashboardLinkType

from source import rules
from source.check_dashboards import selectors

RULES = Path(__file__).parent.parent / "prometheus/rules"
# Metrics of kube-state-metrics about backups; such an alert asks for our metrics only to learn whether a deployment is ours.
OF_BACKUPS = re.compile(r"\bkube_(job|cronjob)_")
# Where the runbooks are, unless somebody names another address on the dashboard: `make up` and compose let Prometheus
# serve them, and Grafana passes requests on to its data source.
SERVED_AT = "/api/datasources/proxy/uid/votestream-prometheus/consoles"


def links(expressions: list[str]) -> list[DashboardLink]:
    """Returns the links of a panel with these expressions."""
    shown = {metric for expr in expressions for metric in metrics(expr)}
    return [
        DashboardLink(
            title=f"Runbook {alert}",
            type_val=DashboardLinkType.LINK,
            url=f"${{runbooks}}/{alert}.md",
            target_blank=True,
        )
        for alert, used in alerts().items()
        if used & shown
    ]


@cache
def loaded() -> list[dict]:
    """Returns all rules; those of the objectives are rendered, since their file may be stale."""
    texts = [(RULES / name).read_text() for name in ("recording.yml", "alerts.yml")] + [rules.render()]
    return [rule for text in texts for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@cache
def alerts() -> dict[str, set[str]]:
    """Returns the metrics of each alert."""
    found: dict[str, set[str]] = {}
    for rule in loaded():
        if "alert" in rule and not OF_BACKUPS.search(rule["expr"]):
            found[rule["alert"]] = found.get(rule["alert"], set()) | metrics(rule["expr"])
    return found


def metrics(expr: str) -> set[str]:
    """Returns the metrics of an expression, without the endings of histograms; recorded sums are followed to theirs."""
    recorded = {rule["record"]: rule["expr"] for rule in loaded() if "record" in rule}
    found: set[str] = set()
    for metric, _ in selectors(re.sub(r"\$\w+", "x", expr)):
        if metric in recorded:
            found |= metrics(recorded[metric])
        elif metric == "up" or metric.startswith("votestream_"):
            found.add(re.sub(r"_(bucket|count|sum)$", "", metric))
    return found
