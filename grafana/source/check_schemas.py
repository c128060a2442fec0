"""Checks a dashboard against Grafana's own schemas, of one release of Grafana 12 and one of 13.

The Foundation SDK for Python ends at 11.6 and at a moving `next`, so the schemas come from the package from which Grafana builds
itself: `schemas/vendor` makes them. They have no query languages; the SDK's model of 11.6 checks the queries.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import fastjsonschema

FOLDER = Path(__file__).parent / "schemas"
# The types of panels that every Grafana has, and that our dashboards use. A row has no options.
ROW = "row"


@cache
def schemas() -> dict[str, dict[str, Callable[[dict], object]]]:
    """Returns the checks of each release, by what they check."""
    return {
        path.stem: {name: fastjsonschema.compile(relaxed(schema)) for name, schema in read(path).items()}
        for path in sorted(FOLDER.glob("grafana-*.json"))
    }


def read(path: Path) -> dict[str, dict]:
    return json.loads(path.read_text())


def relaxed(schema: dict) -> dict:
    """Requires nothing of options and fields that Grafana fills in: keys and values are what counts."""
    if isinstance(schema, dict):
        return {key: relaxed(value) for key, value in schema.items() if key != "required" or not isinstance(value, list)}
    return [relaxed(value) for value in schema] if isinstance(schema, list) else schema


def check(board: dict, extras: set[str]) -> Iterator[str]:
    """Yields what a release does not know. `extras` are the fields of annotations that belong to a data source."""
    whole = json.loads(json.dumps(board))
    for mark in whole["annotations"].get("list", []):
        # `expr` is the query of the data source.
        for name in extras | {"expr"}:
            mark.pop(name, None)
    for release, of in schemas().items():
        yield from refused(release, "", of["dashboard"], whole)
        for panel in whole["panels"]:
            kind = panel["type"]
            if kind == ROW:
                continue
            if kind not in of:
                yield f"{release} shows panels of type {kind} only with a plugin, or schemas/vendor does not know it"
                continue
            where = f"panel {panel.get('title')}: "
            yield from refused(release, where, of[kind], panel.get("options", {}))
            if f"{kind}.custom" in of:
                custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
                yield from refused(release, where, of[f"{kind}.custom"], custom)
    for name in ("__inputs", "__requires"):
        if board.get(name):
            yield f"{name}: importing it asks for a plugin or a value"


def refused(release: str, where: str, accept: Callable[[dict], object], data: dict) -> Iterator[str]:
    try:
        accept(data)
    except fastjsonschema.JsonSchemaValueException as error:
        yield f"{where}{release} refuses it: {error.message}"
