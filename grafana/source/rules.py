"""Renders the rules of the objectives (recorded ratios and burn rate alerts), and all rules for Kubernetes."""

import textwrap
from pathlib import Path

import yaml

from source.objectives import BURNS, OBJECTIVES, PERIOD, WINDOWS, Burn, Objective

# Short windows, evaluated at every interval; the longer ones are evaluated once a minute.
QUICK = {"30m", "1h"}

# How often Prometheus is to evaluate the rules. The operator's own default, 30 s, is too slow for a live vote.
EVERY = "5s"

# The overview of the deployment whose alert it is, as in prometheus/rules/alerts.yml, in parts that fit on a line.
LINK = [
    '{{ or $externalLabels.grafana "http://localhost:3000" }}/d/votestream-overview?refresh=10s',
    "{{ with $labels.cluster }}&var-cluster={{ . }}{{ end }}{{ with $labels.namespace }}&var-namespace={{ . }}{{ end }}",
    "{{ with $labels.deployment }}&var-deployment={{ . }}{{ end }}",
]
DASHBOARD = "".join(LINK)

HEADER = """\
# Written by grafana/generate from grafana/source/objectives.py. Do not edit.
#
# Rates are recorded over 5 minutes. A longer window averages these rates, so each minute counts by the number of its
# events. An alert fires when both of its windows are above the limit: the long one shows that the errors matter, the
# short one that they still go on, and has ten bad events, so that single ones raise no alert. Of the budget of 30 days, a
# burn rate of 14.4 spends 2 % in an hour, 6 spends 5 % in six hours, 3 spends 10 % in a day, and 1 spends 10 % in three days.
groups:
"""


def render() -> str:
    """Returns the text of prometheus/rules/slo.yml."""
    return HEADER + "\n".join(group(objective) for objective in OBJECTIVES)


def for_kubernetes(folder: Path) -> str:
    """Returns all rules as one PrometheusRule. Those of the objectives are rendered, since their file may be stale."""
    groups = []
    for path in sorted({*folder.glob("*.yml"), folder / "slo.yml"}):
        text = render() if path.name == "slo.yml" else path.read_text()
        groups += [timed(group) for group in yaml.safe_load(text)["groups"]]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "votestream"},
        "spec": {"groups": groups},
    }
    text = yaml.safe_dump(rule, sort_keys=False, width=100, allow_unicode=True)
    return f"# Written by grafana/generate from prometheus/rules. Do not edit.\n{text}"


def timed(group: dict) -> dict:
    """Returns a group with the interval at which it is to be evaluated."""
    return {"name": group["name"], "interval": group.get("interval", EVERY), "rules": group["rules"]}


def group(objective: Objective) -> str:
    """Returns the rules of one objective: short windows at every evaluation, long ones once a minute."""
    first, *others = [*WINDOWS, PERIOD]
    quick = [window for window in others if window in QUICK]
    slow = [window for window in others if window not in QUICK]
    rules = [
        record(objective.rate("bad"), objective.bad.format(window=first)),
        record(objective.rate("all"), objective.all.format(window=first)),
        record(objective.ratio(first), f"{objective.rate('bad')} / ({objective.rate('all')} > 0)"),
        *(average(objective, window) for window in quick),
        *(alert(objective, burn) for burn in BURNS),
    ]
    slow_rules = [average(objective, window) for window in slow]
    return (
        f"  # {objective.promise}.\n"
        f"  - name: votestream-slo-{objective.key}\n"
        f"    rules:\n{chr(10).join(rules)}\n"
        f"  - name: votestream-slo-{objective.key}-slow\n"
        f"    interval: 1m\n"
        f"    rules:\n{chr(10).join(slow_rules)}"
    )


def average(objective: Objective, window: str) -> str:
    """Averages the recorded rates; reading the raw counters of several days would cost a hundred times as much."""
    bad, total = (f"avg_over_time({objective.rate(which)}[{window}])" for which in ("bad", "all"))
    return record(objective.ratio(window), f"{bad}\n/ ({total} > 0)")


def record(name: str, expression: str) -> str:
    return f"      - record: {name}\n        expr: >-\n{indent(expression, 10)}"


def alert(objective: Objective, burn: Burn) -> str:
    limit = f"{burn.factor:g} * {objective.budget:g}"
    link = "\\\n      ".join(part.replace('"', '\\"') for part in LINK)
    runbook = '{{ or $externalLabels.runbooks "grafana/runbooks" }}'
    return textwrap.indent(
        f"""\
- alert: {objective.alert}
  expr: >-
    {objective.ratio(burn.long)} > {limit}
    and {objective.ratio(burn.short)} > {limit}
    and {objective.events(burn.short)} >= {burn.events}
  labels:
    severity: {burn.severity}
    service: votestream
    slo: {objective.key}
    window: {burn.long}
  annotations:
    summary: The error budget of {objective.key} burns at over {burn.factor:g} times its planned rate
    description: >-
      {{{{ $value | humanizePercentage }}}} of events failed within {burn.long}, and errors still go on. The promise is:
      {objective.promise}.
    runbook_url: '{runbook}/{objective.alert}.md'
    dashboard_url:
      "{link}"
""",
        " " * 6,
    )


def indent(text: str, spaces: int) -> str:
    return textwrap.indent(text, " " * spaces) + "\n"
