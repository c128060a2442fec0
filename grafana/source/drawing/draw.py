"""Draws the overview as it looks in each scenario: `grafana/draw FOLDER`.

It is no copy of Grafana. It shows what a panel says: its text and colour, its lines with their legend, and the alerts.
"""

import math
import re
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402, the backend comes first
from matplotlib.axes import Axes  # noqa: E402

from source.drawing.scenarios import FAULT, SCENARIOS, STEP  # noqa: E402
from source.drawing.shown import END, TIMES, Shown, show, with_unit  # noqa: E402

COLORS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "yellow": "#fade2a"}
COLORS |= {"purple": "#b877d9"}
BACK, TEXT = "#181b1f", "#d8d9da"
# Inches of a column and of a row of Grafana's grid.
COLUMN, ROW = 0.66, 0.42


def draw(shown: Shown, title: str, path: Path) -> int:
    """Draws a dashboard into a PNG, and returns the number of its panels."""
    panels = [panel for panel in shown.board["panels"] if panel.get("targets")]
    high = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 1
    figure = plt.figure(figsize=(24 * COLUMN, high * ROW), facecolor="#111217", dpi=72)
    figure.text(0.006, 1 - 0.7 / high, f"{shown.board['title']}, {title}", color=TEXT, fontsize=13)
    for panel in panels:
        at = panel["gridPos"]
        box = (at["x"] / 24 + 0.003, 1 - (at["y"] + at["h"] + 0.9) / high, at["w"] / 24 - 0.006, (at["h"] - 0.2) / high)
        back = figure.add_axes(box, facecolor=BACK)
        back.set_xticks([])
        back.set_yticks([])
        for spine in back.spines.values():
            spine.set_color("#2c3235")
        back.text(0.02, 0.97, panel["title"], color=TEXT, fontsize=9, va="top", transform=back.transAxes)
        if panel["type"] == "stat":
            text, color = shown.number(panel)
            size = 26 if len(text) < 8 else 20
            back.text(0.5, 0.42, text, color=COLORS[color], fontsize=size, ha="center", va="center")
        elif panel["type"] == "table":
            rows(back, shown, panel)
        else:
            left, bottom, width, height = box
            inner = (left + 0.16 * width + 0.002, bottom + 0.25 * height, 0.8 * width, 0.58 * height)
            lines(figure.add_axes(inner, facecolor=BACK), shown, panel)
    figure.savefig(path, facecolor=figure.get_facecolor())
    plt.close(figure)
    return len(panels)


def rows(axes: Axes, shown: Shown, panel: dict) -> None:
    """Writes the rows of a table: the labels of each series, and its value."""
    samples = shown.samples[panel["title"]][0].get(END, [])
    if not samples:
        axes.text(0.5, 0.45, "nothing", color=TEXT, fontsize=14, ha="center")
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for number, (labels, value) in enumerate(sorted(samples, key=lambda sample: -sample[1])):
        color = COLORS["red" if labels.get("severity") == "critical" else "orange"]
        text = "   ".join([*(labels[name] for name in sorted(labels)), with_unit(value, unit, None)])
        axes.text(0.04, 0.8 - 0.12 * number, text, color=color, fontsize=10, va="top")


def lines(axes: Axes, shown: Shown, panel: dict) -> None:
    """Draws each series over time, and the moment of the fault."""
    axes.axvline(FAULT * STEP / 60, color="#555", linewidth=0.8, linestyle=":")
    for target, samples in zip(panel["targets"], shown.samples[panel["title"]], strict=True):
        drawn: dict[str, list[float]] = {}
        for index, time in enumerate(TIMES):
            for labels, value in samples.get(time, []):
                legend = re.sub(r"{{(\w+)}}", lambda name, of=labels: of.get(name[1], ""), target["legendFormat"])
                drawn.setdefault(legend, [math.nan] * len(TIMES))[index] = value
        for legend, values in sorted(drawn.items()):
            axes.plot([time / 60 for time in TIMES], values, linewidth=1.2, label=legend)
    axes.tick_params(colors=TEXT, labelsize=7)
    axes.set_xlim(TIMES[0] / 60, END / 60)
    if panel["fieldConfig"]["defaults"].get("min") == 0:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: with_unit(value, panel["fieldConfig"]["defaults"]["unit"], None))
    for spine in axes.spines.values():
        spine.set_color("#2c3235")
    if axes.get_legend_handles_labels()[1]:
        place = {"loc": "upper left", "bbox_to_anchor": (-0.1, -0.12), "ncols": 5}
        axes.legend(**place, fontsize=6.5, frameon=False, labelcolor=TEXT, handlelength=1)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        path = folder / f"overview-{scenario.name}.png"
        draw(show("overview", scenario), scenario.title, path)
        print(path)


if __name__ == "__main__":
    main()
