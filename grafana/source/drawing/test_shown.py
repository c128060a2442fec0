"""What the overview shows in each scenario, number by number, and which alerts fire, and when."""

import tempfile
import unittest
from pathlib import Path

from source.drawing import draw
from source.drawing.scenarios import FAULT, SCENARIOS, STEP
from source.drawing.shown import Shown, show

FAULT_AT = FAULT * STEP
# What the numbers show while all is well and people vote, except those that each scenario names.
WELL = {
    "Silent for": ("0 s", "green"),
    "Accepted": ("480", "blue"),
    "Refused": ("0.00%", "green"),
    "Click to count, p99": ("31.7 ms", "green"),
    "Oldest entry": ("20 ms", "green"),
    "Time to drain": ("20.8 ms", "green"),
    "Click to screen": ("120 ms", "green"),
    "Viewers": ("10,000", "blue"),
    "Results read": ("0 s", "green"),
    "Replicas missing": ("0", "green"),
    "Turnout": ("289,000", "blue"),
    "Lost or wrong": ("0", "green"),
}
SILENT = ("silent", "red")
# The turnout when the fault began: nobody was counted since.
HALTED = {"Turnout": ("145,000", "blue"), "Click to screen": ("never", "red")}
NO_PRODUCERS = {"Silent for": ("5 min", "red"), "Replicas missing": ("2", "red"), "Accepted": SILENT, "Refused": SILENT} | HALTED


class Overview(unittest.TestCase):
    """The fault begins after five minutes, and the overview is looked at after ten."""

    shown: dict[str, Shown]

    @classmethod
    def setUpClass(cls) -> None:
        cls.shown = {scenario.name: show("overview", scenario) for scenario in SCENARIOS}

    def expect(self, scenario: str, differs: dict[str, tuple[str, str]], within: dict[str, int]) -> None:
        """`within` has the critical alerts, each with the most seconds after the fault in which it has to fire."""
        shown = self.shown[scenario]
        self.assertEqual(shown.numbers(), WELL | differs)
        late = {}
        for alert, seconds in within.items():
            at = shown.firing.get((alert, "critical"), [10**6])[0] - FAULT_AT
            if not 0 <= at <= seconds:
                late[alert] = at
        self.assertEqual(late, {})
        # Nothing fires before the fault.
        self.assertEqual([alert for alert, times in shown.firing.items() if times[0] < FAULT_AT], [])

    def test_an_idle_night_is_calm(self) -> None:
        nothing = {name: ("none", "blue") for name in ("Refused", "Click to count, p99")}
        zero = {"Accepted": ("0", "blue"), "Turnout": ("1,000", "blue"), "Viewers": ("3", "blue")}
        still = {name: ("0 s", "green") for name in ("Oldest entry", "Time to drain")}
        self.expect("idle-night", nothing | zero | still, {})
        self.assertEqual(self.shown["idle-night"].firing, {})

    def test_a_show_is_green(self) -> None:
        self.expect("show", {}, {})
        self.assertEqual(self.shown["show"].firing, {})

    def test_dead_producers_are_red_and_say_since_when(self) -> None:
        self.expect("dead-producers", NO_PRODUCERS, {"NoProducer": 25, "CanaryFails": 90})
        # The age of an alert begins with its condition, before it fires.
        [firing] = self.shown["dead-producers"].samples["Firing alerts"]
        ages = {labels["alertname"]: age for labels, age in firing[FAULT_AT * 2]}
        self.assertEqual(ages, {"NoProducer": 300, "TargetDown": 300, "ReplicasMissing": 300, "CanaryFails": 240})

    def test_dead_consumers_are_red_and_nothing_is_known_of_the_backlog(self) -> None:
        unknown = ("Click to count, p99", "Oldest entry", "Time to drain", "Lost or wrong")
        gone = {"Silent for": ("5 min", "red"), "Replicas missing": ("2", "red")}
        self.expect("dead-consumers", gone | HALTED | dict.fromkeys(unknown, SILENT), {"NoConsumer": 25, "CanaryFails": 90})

    def test_a_frozen_redis_is_red(self) -> None:
        unknown = ("Oldest entry", "Time to drain", "Lost or wrong")
        refused = {"Accepted": ("0", "blue"), "Refused": ("100.00%", "red")} | HALTED
        differs = refused | {"Click to count, p99": ("none", "blue")} | dict.fromkeys(unknown, SILENT)
        self.expect("frozen-redis", differs, {"ProducerRefusing": 30, "DependencyDown": 35, "CanaryFails": 90})

    def test_a_full_postgres_is_red_and_never_drains(self) -> None:
        waits = {name: ("5 min", "red") for name in ("Click to count, p99", "Oldest entry")}
        differs = waits | {"Time to drain": ("never", "red")} | HALTED
        self.expect("full-postgres", differs, {"PostgresDiskFull": 15, "OldestEntryWaits": 95, "CanaryFails": 90})

    def test_a_deployment_that_is_well_hides_no_other(self) -> None:
        self.expect("two-deployments", NO_PRODUCERS, {"NoProducer": 25})

    def test_every_panel_is_drawn(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "show.png"
            shown = self.shown["show"]
            self.assertEqual(draw.draw(shown, "a show", path), len(shown.samples))
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    unittest.main()
