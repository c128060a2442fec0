"""Checks the dashboards in the form of the JSON that Grafana reads."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from source import check_schemas

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WINDOWS = {"$__rate_interval", "$__range"}
# Grid rows of 38 pixels that fit on a screen 1080 pixels high, below Grafana's own bars.
SCREEN = 22
# Fields of an annotation that Grafana's Prometheus plugin reads and the SDK does not know.
ANNOTATION_EXTRAS = {"titleFormat", "step"}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\$\w+|[a-zA-Z_:][\w:]*|\d[\w.]*|[=!]~|\S')
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"sum", "max", "min", "count", "avg", "topk", "or", "and", "unless", "offset", "bool", "NaN"}

plugins.register_default_plugins()


def check(root: Path) -> Iterator[str]:
    """Yields the faults, one line each."""
    boards = {path: json.loads(path.read_text()) for path in sorted((root / "dashboards").glob("*.json"))}
    yield from twice("dashboard uid", [board.get("uid") for board in boards.values()])
    yield from twice("dashboard title", [board.get("title") for board in boards.values()])
    expressions = []
    for path, board in boards.items():
        for finding in check_board(path, board):
            yield f"{path.name}: {finding}"
        expressions += [expr for _, expr in expressions_of(board)]
    yield from unparsable(expressions)


def check_board(path: Path, board: dict) -> Iterator[str]:
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    yield from unknown_to_grafana(board)
    yield from check_schemas.check(board, ANNOTATION_EXTRAS)
    yield from twice("panel title", [panel.get("title") for panel in panels])
    yield from twice("panel id", [panel.get("id") for panel in board["panels"]])
    yield from overlaps(board["panels"])
    yield from variables(board)
    if path.stem == "overview" and (bottom := max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)) > SCREEN:
        yield f"the overview is higher than a screen: {bottom} rows"
    if not any("votestream_build_info" in mark.get("expr", "") for mark in board["annotations"].get("list", [])):
        yield "deployments are not marked"
    for panel in panels:
        for finding in check_panel(panel):
            yield f"panel {panel.get('title') or panel.get('id')}: {finding}"
    known = {runbook.name for runbook in (path.parent.parent / "runbooks").glob("*.md")}
    for name in sorted(set(re.findall(r"\$\{runbooks\}/(\w+\.md)", json.dumps(panels))) - known):
        yield f"a panel leads to the runbook {name}, which does not exist"
    document = path.with_suffix(".md")
    text = " ".join(document.read_text().split()) if document.exists() else ""
    for panel in panels:
        if f"**{panel.get('title')}.**" not in text:
            yield f"{document.name} does not say what panel {panel.get('title')} answers"


def check_panel(panel: dict) -> Iterator[str]:
    for what in ("title", "description"):
        if not panel.get(what):
            yield f"no {what}"
    if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "no unit"
    if not panel.get("targets"):
        yield "no query"
    if panel["type"] == "stat":
        for query in panel.get("targets", []):
            if not query.get("instant"):
                yield "it shows the past: its query is not instant"
            if not query["expr"].endswith("or on () vector(NaN)"):
                yield "it is not red while its series are silent"
    for part in [panel, *panel.get("targets", [])]:
        if part.get("datasource") != DATASOURCE:
            yield "its data source is not the dashboard's variable"
    for query in panel.get("targets", []):
        for window in re.findall(r"\[([^\]]+)\]", strip_strings(query["expr"])):
            if window not in WINDOWS:
                yield f"a window of {window} instead of $__rate_interval"
        for metric, matchers in selectors(query["expr"]):
            yield from unmatched(metric, matchers)


def unmatched(metric: str, matchers: str) -> Iterator[str]:
    """Checks that the variables select a metric: deployment, job and instance. Recorded sums keep fewer labels."""
    wanted = ["cluster", "namespace", "deployment", "job", "instance"]
    if metric.startswith("service:"):
        wanted = wanted[:3]
    elif metric.startswith("job"):
        wanted = wanted[:4]
    elif metric.startswith("ALERTS"):
        # Some alerts have a namespace and no deployment.
        wanted = wanted[:3]
        if 'service="votestream"' not in matchers:
            yield "ALERTS are not ours alone"
    elif metric.startswith(("redis_", "pg_")):
        wanted = wanted[3:]
    for label in wanted:
        if not re.search(rf'(^|[,\s]){label}=~"\|?\$\w*{label}"', matchers):
            yield f"{metric} is not matched by {label}"


def selectors(expr: str) -> Iterator[tuple[str, str]]:
    """Yields every metric of an expression, with the text between its braces."""
    tokens = TOKEN.findall(expr)
    position = 0
    while position < len(tokens):
        token, after = tokens[position], tokens[position + 1 : position + 2]
        position += 1
        if token in GROUPING or token in ("{", "["):
            # Skip labels, matchers and windows: they contain no metrics.
            while position < len(tokens) and tokens[position - 1] not in (")", "}", "]"):
                position += 1
        elif re.match(r"[a-zA-Z_:]", token) and token not in WORDS and after != ["("]:
            inside = ""
            if after == ["{"]:
                end = tokens.index("}", position)
                inside = "".join(tokens[position + 1 : end])
                position = end + 1
            yield token, inside


def strip_strings(expr: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)


def expressions_of(board: dict) -> Iterator[tuple[str, str]]:
    """Yields the title of the panel of each expression, and the expression."""
    for mark in board["annotations"].get("list", []):
        yield "annotation", mark["expr"]
    for panel in board["panels"]:
        for query in panel.get("targets", []):
            yield panel.get("title", ""), query["expr"]


def unparsable(expressions: list[str]) -> Iterator[str]:
    """Has promtool parse all expressions, as rules."""
    rules = []
    for index, expr in enumerate(expressions):
        for variable, value in {"$__rate_interval": "1m", "$__range": "1h"}.items():
            expr = expr.replace(variable, value)
        rules.append({"record": f"panel:{index}", "expr": re.sub(r"\$\w+", "x", expr)})
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)
        file.flush()
        run = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    if run.returncode:
        for line in (run.stdout + run.stderr).splitlines():
            if found := re.search(r"panel:(\d+).*", line):
                yield f"not PromQL: {expressions[int(found.group(1))]}: {line.strip()}"


def unknown_to_grafana(board: dict) -> Iterator[str]:
    """Yields the fields that Grafana's own model does not know: it loses them when it reads a dashboard."""
    known = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    for mark in board["annotations"].get("list", []):
        for twin in known["annotations"].get("list", []):
            if twin["name"] == mark["name"]:
                twin |= {key: mark[key] for key in ANNOTATION_EXTRAS & mark.keys()}
    yield from (f"Grafana's model does not know {where}" for where in lost(board, known, "the dashboard"))


def lost(had: object, has: object, where: str) -> Iterator[str]:
    if isinstance(had, dict) and isinstance(has, dict):
        for key, value in had.items():
            if key not in has:
                yield f"{where}.{key}"
            else:
                yield from lost(value, has[key], f"{where}.{key}")
    elif isinstance(had, list) and isinstance(has, list) and len(had) == len(has):
        for index, value in enumerate(had):
            yield from lost(value, has[index], f"{where}[{index}]")
    elif had != has:
        yield f"{where}: {had!r}, read as {has!r}"


def variables(board: dict) -> Iterator[str]:
    defined = [variable["name"] for variable in board["templating"]["list"]]
    yield from twice("variable", defined)
    text = json.dumps(board["panels"]) + json.dumps([v.get("query") for v in board["templating"]["list"]])
    for name in defined:
        if not re.search(rf"\$\{{?{name}\b", text):
            yield f"variable {name} is not used"
    for name in set(re.findall(r"\$\{?([a-z]\w*)", text)) - set(defined):
        yield f"variable {name} is not defined"


def overlaps(panels: list[dict]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24 or place["w"] < 1 or place["h"] < 1:
            yield f"panel {panel.get('title')} is off the grid"
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        for other in sorted({str(taken[cell]) for cell in cells & taken.keys()}):
            yield f"panel {panel.get('title')} overlaps {other}"
        taken |= dict.fromkeys(cells, panel.get("title", ""))


def twice(what: str, values: list) -> Iterator[str]:
    for value in sorted({str(value) for value in values if values.count(value) > 1}):
        yield f"{what} {value} is there twice"
    if None in values:
        yield f"a {what} is missing"
