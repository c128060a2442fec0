"""Checks that the tests in prometheus/tests fail when an alert is wrong."""

import re
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from source.check_rules import name, read

PROMETHEUS = Path(__file__).parent.parent / "prometheus"


def output_of(file: str) -> str:
    """Returns the output of a file's tests."""
    run = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


class Changed(unittest.TestCase):
    """Changes all alerts of a copy at once; for each alert, a test must fail."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        shutil.copytree(PROMETHEUS, self.root, dirs_exist_ok=True)

    def failing(self, edit: Callable[[dict], None]) -> set[str]:
        """Returns the alerts of failing tests, by name and labels, after `edit` has changed each alert."""
        for path in (self.root / "rules").glob("*.yml"):
            rules = read(path)
            for group in rules["groups"]:
                for rule in group["rules"]:
                    if "alert" in rule:
                        edit(rule)
            path.write_text(yaml.safe_dump(rules))
        # The quiet nights take long, and expect that nothing fires: they would notice no alert by its name.
        files = sorted(str(path) for path in (self.root / "tests").glob("*.yml") if "quiet" not in path.name)
        with ThreadPoolExecutor() as pool:
            outputs = "".join(pool.map(output_of, files))
        missed = set()
        for labels in re.findall(r"Labels:\{(alertname=.*?)\}", outputs):
            found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            missed.add(name({"alert": found["alertname"], "labels": found}))
        return missed

    def test_every_alert_that_falls_silent_is_noticed(self) -> None:
        every = set()

        def silence(alert: dict) -> None:
            every.add(name(alert))
            alert["expr"] = "vector(0) > 1"

        self.assertEqual(every - self.failing(silence), set())

    def test_every_alert_that_fires_without_cause_is_noticed(self) -> None:
        """Turns each comparison round: alerts that fired are silent, and silent ones fire."""
        every = set()

        def turn(alert: dict) -> None:
            every.add(name(alert))
            alert["expr"] = re.sub(
                r" (>=|==|>|<) ",
                lambda found: {">": " <= ", "<": " >= ", "==": " != ", ">=": " < "}[found[1]],
                alert["expr"],
            )

        self.assertEqual(every - self.failing(turn), set())

    def test_every_alert_that_fires_at_once_instead_of_after_a_while_is_noticed(self) -> None:
        patient = set()

        def hurry(alert: dict) -> None:
            if alert.pop("for", None):
                patient.add(name(alert))

        noticed = self.failing(hurry)
        self.assertTrue(patient)
        self.assertEqual(patient - noticed, set())

    def test_rules_of_the_same_name_are_refused(self) -> None:
        path = self.root / "rules/recording.yml"
        rules = read(path)
        rules["groups"][0]["rules"].append(rules["groups"][0]["rules"][0])
        path.write_text(yaml.safe_dump(rules))
        run = subprocess.run(
            ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(path)], capture_output=True, check=False
        )
        self.assertNotEqual(run.returncode, 0)


if __name__ == "__main__":
    unittest.main()
