"""Builders of panels with the options that all our panels share, so dashboards name only the differences.

Expressions are PromQL with three shorthands, which `promql` expands:

    {@}   {@, le="1"}    the deployment, job and instance chosen on the dashboard
    {#}                  the deployment and job, for recorded sums, which have no instance
    {&}                  the deployment alone, for recorded sums of its services
    [@]                  Grafana's $__rate_interval
"""

from dataclasses import dataclass
from typing import Protocol, Self

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.heatmap import HeatmapColorOptions, YAxisConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24

GOOD, WARN, BAD, CALM = "green", "orange", "red", "blue"

# The labels that say whose a series is, and the variables of the same names. A deployment without one of these labels has
# no value for the variable, and an empty matcher selects series without the label.
IDENTITY = ("cluster", "namespace", "deployment")
CHOSEN = ", ".join(f'{label}=~"${label}"' for label in IDENTITY)
# Values of a number that stand for words.
IDLE, NEVER = -1_000_000, 1_000_000_000


# Expressions that may return nothing although all is well, with the reasons. `target` fills it.
MAY_BE_EMPTY: dict[str, str] = {}


class Panel(Protocol):
    """Any panel builder of the SDK."""

    def span(self, w: int) -> Self: ...

    def height(self, h: int) -> Self: ...


@dataclass(frozen=True)
class Query:
    """One expression, the legend of its series, and the reason why it may return nothing, if it may."""

    expr: str
    legend: str = ""
    empty: str = ""


def promql(text: str, job: str = "job", instance: str = "instance", whose: str = f"{CHOSEN}, ") -> str:
    """Expands the shorthands; `job` and `instance` are the names of the dashboard's variables."""
    chosen = f'job=~"${job}", instance=~"${instance}"'
    text = text.replace("{@", "{" + whose + chosen).replace("{#", "{" + whose + f'job=~"${job}"')
    text = text.replace("{&", "{" + whose.removesuffix(", "))
    return text.replace("[@]", "[$__rate_interval]")


def quantile(q: float, metric: str, by: str = "") -> str:
    """Returns the expression of a histogram's quantile over all replicas."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, sum by ({labels}) (rate({metric}_bucket{{@}}[@])))"


def quantiles(metric: str) -> list[Query]:
    """Returns the quantiles 50 %, 95 % and 99 %."""
    shares = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")]
    return [Query(quantile(q, metric), name) for q, name in shares]


def mean(metric: str, by: str = "") -> str:
    """Returns the expression of a histogram's average."""
    grouping = f" by ({by})" if by else ""
    sums = [f"sum{grouping} (rate({metric}_{part}{{@}}[@]))" for part in ("sum", "count")]
    return f"{sums[0]} / ({sums[1]} > 0)"


def steps(*pairs: tuple[float | None, str]) -> ThresholdsConfig:
    """Returns thresholds: each colour applies from its value on. The first value is None."""
    return (
        ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in pairs])
    )


def number(
    title: str,
    answers: str,
    unit: str,
    expr: str,
    thresholds: ThresholdsConfig | None = None,
    decimals: int | None = None,
    idle: str = "",
    legend: str = "",
    words: dict[int, str] | None = None,
) -> stat.Panel:
    """Returns a panel with one large number, as it is now: a value of the past would stay green while all is dead.

    If the expression returns nothing, the panel is red and says `silent`. `idle` selects series that are there while
    nothing happens; then the panel says `none` instead. `words` are shown in red from these values on.
    """
    fallbacks = [f"0 * max({idle}) - {-IDLE}"] if idle else []
    whole = " or on () ".join([f"({expr})", *fallbacks, "vector(NaN)"])
    panel = (
        stat.Panel()
        .title(title)
        .description(answers)
        .unit(unit)
        .datasource(DATASOURCE)
        .with_target(target(Query(whole, legend), 0).instant())
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .thresholds(thresholds or steps((None, CALM)))
        .mappings(meanings(words or {}))
        .no_value("silent")
    )
    return panel if decimals is None else panel.decimals(decimals)


def meanings(words: dict[int, str]) -> list:
    """Returns the words that are shown instead of a number."""
    silent = dashboard.ValueMappingResult(text="silent", color=BAD, index=0)
    none = dashboard.ValueMappingResult(text="none", color=CALM, index=1)
    mappings: list = [
        dashboard.SpecialValueMap(
            dashboard.DashboardSpecialValueMapOptions(match=dashboard.SpecialValueMatch.NULL_AND_NAN, result=silent)
        ),
        dashboard.ValueMap({str(IDLE): none}),
    ]
    for index, (value, word) in enumerate(words.items(), start=2):
        result = dashboard.ValueMappingResult(text=word, color=BAD, index=index)
        mappings.append(
            dashboard.RangeMap(
                dashboard.DashboardRangeMapOptions(from_val=float(value), to=float(NEVER), result=result)
            )
        )
    return mappings


def lines(
    title: str,
    answers: str,
    unit: str,
    queries: list[Query],
    limits: ThresholdsConfig | None = None,
    stacked: bool = False,
    logarithmic: bool = False,
    colors: dict[str, str] | None = None,
    min_val: float | None = 0,
    max_val: float | None = None,
    table_legend: bool = False,
) -> timeseries.Panel:
    """Returns a panel with one line per series. `limits` are drawn as dashed lines."""
    legend = common_builders.VizLegendOptions().show_legend(True)
    if table_legend:
        legend.display_mode(common.LegendDisplayMode.TABLE).placement(common.LegendPlacement.RIGHT)
        legend.calcs(["lastNotNull", "max"])
    else:
        legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(answers)
        .unit(unit)
        .datasource(DATASOURCE)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(legend)
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    for index, query in enumerate(queries):
        panel.with_target(target(query, index))
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if logarithmic:
        scale = common_builders.ScaleDistributionConfig()
        panel.scale_distribution(scale.type(common.ScaleDistribution.SYMLOG).log(10).linear_threshold(1))
    if limits:
        style = common_builders.GraphThresholdsStyleConfig()
        panel.thresholds(limits).thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED))
    if min_val is not None:
        panel.min(min_val)
    if max_val is not None:
        panel.max(max_val)
    for name, color in (colors or {}).items():
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(name, [dashboard.DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def heat(title: str, answers: str, unit: str, metric: str) -> heatmap.Panel:
    """Returns a heat map of a histogram over time."""
    expr = f"sum by (le) (increase({metric}_bucket{{@}}[@]))"
    query = target(Query(expr, "{{le}}"), 0).format(PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(answers)
        .unit(unit)
        .datasource(DATASOURCE)
        .with_target(query)
        .calculate(False)
        .color(
            HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Spectral").exponent(0.5).steps(64).reverse(True)
        )
        .y_axis(YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
        .show_legend()
    )


def rows_of(
    title: str, answers: str, unit: str, query: Query, value: str, links: dict[str, str], colors: dict[str, dict[str, str]]
) -> table.Panel:
    """Returns a table of an expression's present values, in a column called `value`, the largest first.

    `links` maps a column to the address behind its texts, and `colors` a column to the colours of its texts.
    """
    now = target(query, 0).instant().format(PromQueryFormat.TABLE)
    panel = table.Panel()
    for column, url in links.items():
        link = [{"title": "Runbook", "url": url, "targetBlank": True}]
        panel.override_by_name(column, [dashboard.DynamicConfigValue(id_val="links", value=link)])
    for column, of in colors.items():
        shades = {text: {"color": color, "index": index} for index, (text, color) in enumerate(of.items())}
        colored = {
            "mappings": [{"type": "value", "options": shades}],
            "custom.cellOptions": {"type": "color-text"},
        }
        panel.override_by_name(
            column, [dashboard.DynamicConfigValue(id_val=name, value=setting) for name, setting in colored.items()]
        )
    return (
        panel.title(title)
        .description(answers)
        .unit(unit)
        .datasource(DATASOURCE)
        .with_target(now)
        .no_value("nothing")
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": {"Value": value}}
            )
        )
        .sort_by([common_builders.TableSortByFieldState().display_name(value).desc(True)])
    )


def target(query: Query, index: int) -> Dataquery:
    if query.empty:
        MAY_BE_EMPTY[promql(query.expr)] = query.empty
    built = Dataquery().expr(promql(query.expr)).ref_id(chr(ord("A") + index)).datasource(DATASOURCE)
    return built.legend_format(query.legend or "__auto")
