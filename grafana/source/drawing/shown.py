"""What a dashboard shows in a scenario: promtool runs the rules and evaluates the panels, and the options of the panels
turn the values into texts and colours, as Grafana does."""

import json
import math
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from source.drawing.scenarios import LABELS, STEP, STEPS, Scenario, Series

ROOT = Path(__file__).parent.parent.parent
RULES = [str(ROOT / f"prometheus/rules/{name}.yml") for name in ("recording", "slo", "alerts")]
CHOSEN = LABELS | {"job": ".+", "instance": ".+"}
WINDOWS = {"$__rate_interval": "1m", "$__range": "5m"}
# Every series at one time: its labels and its value.
Samples = list[tuple[dict[str, str], float]]
END = STEP * STEPS
# The times at which lines are drawn.
TIMES = list(range(60, END + 1, 15))


@dataclass
class Shown:
    """A dashboard in a scenario."""

    board: dict
    # For each panel, the samples of each query: at the end for numbers and tables, and at all times for lines.
    samples: dict[str, list[dict[int, Samples]]] = field(default_factory=dict)
    # For each alert with its severity, the seconds at which it was firing.
    firing: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def numbers(self) -> dict[str, tuple[str, str]]:
        """Returns text and colour of each number. The worst of several series counts."""
        return {panel["title"]: self.number(panel) for panel in self.board["panels"] if panel["type"] == "stat"}

    def number(self, panel: dict) -> tuple[str, str]:
        values = [value for _, value in self.samples[panel["title"]][0].get(END, [])]
        worst = max(values, key=lambda value: (not math.isnan(value), value), default=math.nan)
        return face(panel, worst)


def show(file: str, scenario: Scenario) -> Shown:
    """Evaluates a dashboard, with one run of promtool."""
    shown = Shown(json.loads((ROOT / f"dashboards/{file}.json").read_text()))
    panels = [panel for panel in shown.board["panels"] if panel.get("targets")]
    asked = {target["expr"]: [END] for panel in panels for target in panel["targets"]}
    for panel in panels:
        if panel["type"] == "timeseries":
            asked |= {target["expr"]: TIMES for target in panel["targets"]}
    asked['ALERTS{alertstate="firing"}'] = list(range(0, END + 1, STEP))
    found = evaluate(scenario.series(), asked)
    for panel in panels:
        shown.samples[panel["title"]] = [found[target["expr"]] for target in panel["targets"]]
    for time, samples in sorted(found['ALERTS{alertstate="firing"}'].items()):
        for labels, _ in samples:
            shown.firing.setdefault((labels["alertname"], labels["severity"]), []).append(time)
    return shown


def evaluate(series: Series, asked: dict[str, list[int]]) -> dict[str, dict[int, Samples]]:
    """Returns the samples of each expression at each time. promtool tells them because none equals what is expected."""
    plain = {expr: chosen(expr) for expr in asked}
    cases = [
        {"expr": plain[expr], "eval_time": f"{time}s", "exp_samples": [{"labels": "nobody", "value": 424_242}]}
        for expr, times in asked.items()
        for time in times
    ]
    inputs = [
        {"series": name + "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}", "values": written(values)}
        for (name, labels), values in series.items()
    ]
    test = {"interval": f"{STEP}s", "input_series": inputs, "promql_expr_test": cases}
    whole = {
        "rule_files": RULES,
        "evaluation_interval": f"{STEP}s",
        "group_eval_order": groups(),
        "tests": [test],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(whole, file)
        file.flush()
        run = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False)
    return read(run.stdout + run.stderr, {text: expr for expr, text in plain.items()}, asked)


@cache
def groups() -> list[str]:
    """Returns the names of all groups, the recorded sums first: promtool evaluates groups without an order at random."""
    return [group["name"] for path in RULES for group in yaml.safe_load(Path(path).read_text())["groups"]]


def chosen(expr: str) -> str:
    """Puts in what the variables of a dashboard stand for."""
    for window, value in WINDOWS.items():
        expr = expr.replace(window, value)
    for name, value in CHOSEN.items():
        expr = re.sub(rf"\${name}\b", value, expr)
    assert "$" not in expr, expr
    return expr


def written(values: list) -> str:
    return " ".join(value if isinstance(value, str) else f"{value:.6g}" for value in values)


ANSWER = re.compile(r'expr: (".*?"), time: ([0-9hms]+),\s+exp: .*?\n\s+got: ?(.*?)(?=\n\s+expr: |\n\n|\Z)', re.DOTALL)
SAMPLE = re.compile(r"(\{[^{}]*\}) (NaN|[-+]?Inf|[-+.0-9Ee]+)")


def read(output: str, expressions: dict[str, str], asked: dict) -> dict[str, dict[int, Samples]]:
    found: dict[str, dict[int, Samples]] = {expr: {} for expr in asked}
    answers = 0
    for quoted, time, got in ANSWER.findall(output):
        answers += 1
        samples = [
            (dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value)) for labels, value in SAMPLE.findall(got)
        ]
        found[expressions[yaml.safe_load(quoted)]][in_seconds(time)] = samples
    assert answers == sum(map(len, asked.values())), f"{answers} answers: {output[:2000]}"
    return found


def in_seconds(text: str) -> int:
    parts = re.findall(r"(\d+)([hms])", text)
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


def face(panel: dict, value: float) -> tuple[str, str]:
    """Returns the text that Grafana shows for a value, and its colour."""
    config = panel["fieldConfig"]["defaults"]
    for mapping in config.get("mappings", []):
        options = mapping["options"]
        if mapping["type"] == "special" and math.isnan(value):
            return options["result"]["text"], options["result"]["color"]
        if mapping["type"] == "range" and options["from"] <= value <= options["to"]:
            return options["result"]["text"], options["result"]["color"]
        if mapping["type"] == "value":
            for text, result in options.items():
                if float(text) == value:
                    return result["text"], result["color"]
    steps = config["thresholds"]["steps"]
    color = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]][-1]
    return with_unit(value, config["unit"], config.get("decimals")), color


def with_unit(value: float, unit: str, decimals: int | None) -> str:
    """Writes a number with its unit, in the units that our dashboards use."""
    if unit == "percentunit":
        return f"{100 * value:.{decimals or 0}f}%"
    if unit == "s":
        size, name = next(
            ((size, name) for size, name in [(3600, "hour"), (60, "min"), (1, "s")] if abs(value) >= size), (1e-3, "ms")
        )
        if value == 0:
            size, name = 1, "s"
        return f"{value / size:.{decimals if decimals is not None else 3}g} {name}"
    if unit == "locale":
        return f"{value:,.0f}"
    for size, name in [(1e6, " Mil"), (1e3, " K")]:
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"
