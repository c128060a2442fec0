"""Writes every generated file of `grafana/`; `--check` only reports files that would change."""

import argparse
import json
import sys
from pathlib import Path

from source import boards, overview, panels, pipeline, rules, servers, slo

ROOT = Path(__file__).parent.parent
BOARDS = [overview.BOARD, pipeline.BOARD, slo.BOARD, servers.BOARD]

# Expressions of annotations that may return nothing while all is well, with the reason.
EMPTY = {boards.deployed(board.marked): "nothing was deployed a moment ago" for board in BOARDS}


def render() -> dict[Path, str]:
    """Returns the path and the text of every generated file."""
    files = {
        ROOT / "prometheus/rules/slo.yml": rules.render(),
        ROOT / "kubernetes/rules.yaml": rules.for_kubernetes(ROOT / "prometheus/rules"),
    }
    for board in BOARDS:
        files[ROOT / f"dashboards/{board.file}.json"] = board.render()
        files[ROOT / f"dashboards/{board.file}.md"] = board.document()
    reasons = panels.MAY_BE_EMPTY | EMPTY
    files[ROOT / "may-be-empty.json"] = json.dumps(reasons, indent=2, sort_keys=True) + "\n"
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    for path, text in render().items():
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if check:
            print(f"{path.relative_to(ROOT.parent)} is not what grafana/generate writes", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT.parent)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
