"""The parts that all dashboards share: variables, marks of deployments, links, and the layout of the panels."""

import json
import textwrap
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from source.panels import DATASOURCE, IDENTITY, WIDTH, Panel, promql
from source.runbook_links import SERVED_AT
from source.runbook_links import links as links_to_runbooks

TAG = "votestream"


class Row:
    """Panels side by side. `widths` add up to 24; without them, all panels are equally wide."""

    def __init__(self, height: int, *panels: Panel, widths: tuple[int, ...] | None = None) -> None:
        self.widths = widths or (WIDTH // len(panels),) * len(panels)
        assert sum(self.widths) == WIDTH and len(self.widths) == len(panels), "a row is not full"
        self.height = height
        self.panels = panels


@dataclass
class Board:
    """A dashboard. `rows` contains rows of panels, and strings that are headings above them."""

    uid: str
    file: str
    title: str
    about: str
    # A paragraph for the document beside the JSON: how to read the dashboard.
    reading: str
    rows: list[Row | str]
    # For each pair of variables: the name of the job variable, that of the instance variable, and the metric whose
    # labels are their values.
    choices: list[tuple[str, str, str]] = field(default_factory=lambda: [("job", "instance", "votestream_build_info")])
    # Whether the dashboard shows one deployment, which its variables select.
    of_deployment: bool = True
    refresh: str = "10s"
    since: str = "now-30m"
    # Selects the services whose deployments are marked, as a PromQL matcher.
    marked: str = "{@}"

    def render(self) -> str:
        """Returns the dashboard as JSON with sorted keys, so that equal dashboards give equal files."""
        data = json.loads(json.dumps(self.build(), cls=JSONEncoder))
        for mark in data["annotations"]["list"]:
            # Fields of Grafana's Prometheus plugin that the SDK does not know.
            mark |= {"titleFormat": "{{service}} {{version}} ({{revision}})", "step": "15s"}
        drop_what_grafana_12_lacks(data)
        return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def build(self) -> dashboard.Dashboard:
        board = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.about)
            .tags([TAG])
            .readonly()
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .refresh(self.refresh)
            .time(self.since, "now")
            .timezone("browser")
            .link(links())
            .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        )
        chosen: list[str] = []
        for label in IDENTITY if self.of_deployment else ():
            # One value, and not all: a sum over deployments would hide that one is dead.
            board.with_variable(choice(label, values("votestream_build_info", chosen, label), one=True))
            chosen.append(f'{label}=~"${label}"')
        for job, instance, metric in self.choices:
            board.with_variable(choice(job, values(metric, chosen, "job")))
            board.with_variable(choice(instance, values(metric, [*chosen, f'job=~"${job}"'], "instance")))
        if self.of_deployment:
            board.with_variable(builders.TextBoxVariable("runbooks").label("Runbooks at").default_value(SERVED_AT))
        mark = builders.AnnotationQuery().name("Deployments").datasource(DATASOURCE).enable(True)
        board.annotation(mark.icon_color("purple").expr(deployed(self.marked)))
        for row in self.rows:
            if isinstance(row, str):
                board.with_row(builders.Row(row))
                continue
            for width, panel in zip(row.widths, row.panels, strict=True):
                board.with_panel(panel.span(width).height(row.height))
        built = board.build()
        for number, panel in enumerate(built.panels or [], start=1):
            panel.id_val = number
            if self.of_deployment and panel.type_val != "row":
                panel.links = links_to_runbooks([target.expr for target in panel.targets]) or None
        return built

    def document(self) -> str:
        """Returns the document beside the JSON: the question that each panel answers."""
        wrap = textwrap.TextWrapper(width=120, break_long_words=False, break_on_hyphens=False)
        text = [f"# {self.title}", "", *wrap.wrap(self.about), "", *wrap.wrap(self.reading), ""]
        for panel in self.build().panels or []:
            if panel.type_val == "row":
                text += [f"## {panel.title}", ""]
            else:
                wrap.subsequent_indent = "  "
                text += wrap.wrap(f"- **{panel.title}.** {panel.description}")
        return tidy(text)


def drop_what_grafana_12_lacks(board: dict) -> None:
    """Removes settings that the SDK for 11.6 writes although nobody chose them, and that Grafana 12 and 13 do not have."""
    for variable in board["templating"]["list"]:
        if variable["type"] != "interval":
            for name in ("auto", "auto_min", "auto_count"):
                variable.pop(name, None)
    for panel in board["panels"]:
        if panel["type"] == "table":
            panel["options"].pop("footer", None)


def deployed(of: str) -> str:
    """Returns an expression for versions that did not run a minute ago. Grafana joins adjacent points into one mark."""
    now = f"count by (service, version, revision) (votestream_build_info{of}"
    return promql(f"{now}) unless {now} offset 1m)")


def tidy(lines: list[str]) -> str:
    """Joins the lines with one empty line before each heading and a newline at the end."""
    out: list[str] = []
    for line in lines:
        if line.startswith("#") and out and out[-1]:
            out.append("")
        if line or (out and out[-1]):
            out.append(line)
    return "\n".join(out).rstrip() + "\n"


def values(metric: str, matchers: list[str], label: str) -> str:
    """Returns the query for the values of a label."""
    return (
        f"label_values({metric}{{{', '.join(matchers)}}}, {label})" if matchers else f"label_values({metric}, {label})"
    )


def choice(name: str, query: str, one: bool = False) -> builders.QueryVariable:
    variable = (
        builders.QueryVariable(name)
        .label(name.replace("_", " ").capitalize())
        .datasource(DATASOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
    if one:
        return variable
    everything = dashboard.VariableOption(selected=True, text="All", value="$__all")
    return variable.multi(True).include_all(True).current(everything)


def links() -> builders.DashboardLink:
    link = builders.DashboardLink("Votestream").type(dashboard.DashboardLinkType.DASHBOARDS)
    return link.tags([TAG]).keep_time(True).as_dropdown(False)
