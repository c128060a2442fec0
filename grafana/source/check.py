"""Prints the faults of dashboards, rules, alerts, tests and runbooks; the exit code is 1 if there are any."""

import sys
from pathlib import Path

from source import check_dashboards, check_rules


def findings(root: Path) -> list[str]:
    """Returns the faults of the folder `grafana/` at `root`, one line each."""
    return [*check_dashboards.check(root), *check_rules.check(root)]


if __name__ == "__main__":
    found = findings(Path(__file__).parent.parent)
    print("".join(f"grafana: {finding}\n" for finding in found), file=sys.stderr, end="")
    sys.exit(1 if found else 0)
