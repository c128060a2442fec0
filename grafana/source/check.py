"""Says what is wrong with dashboards, rules, alerts, tests and runbooks; exit code 1 if anything is."""

import sys
from pathlib import Path

from source import check_dashboards, check_rules


def findings(root: Path) -> list[str]:
    """Of the folder `grafana/` at `root`."""
    return [*check_dashboards.check(root), *check_rules.check(root)]


if __name__ == "__main__":
    found = findings(Path(__file__).parent.parent)
    print("".join(f"grafana: {finding}\n" for finding in found), file=sys.stderr, end="")
    sys.exit(1 if found else 0)
