"""Writes every generated file of `grafana/`; `--check` only says what would change."""

import argparse
import sys
from pathlib import Path

from source import rules

ROOT = Path(__file__).parent.parent


def render() -> dict[Path, str]:
    """Every generated file, and what belongs in it."""
    return {ROOT / "prometheus/rules/slo.yml": rules.render()}


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
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT.parent)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
