"""Computes the numbers of the overview with promtool: for a vote, an idle night, and a deployment that is dead."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
LIVE = 'cluster="a",namespace="n",deployment="live"'
# A deployment beside it that is well; no number of ours may change because of it.
OTHER = 'cluster="a",namespace="n",deployment="test"'
CHOSEN = {"cluster": "a", "namespace": "n", "deployment": "live", "job": ".+", "instance": ".+"}
SILENT, NONE, NEVER = "silent", -1_000_000, 1_000_000_000
MINUTES = 10


class Numbers(unittest.TestCase):
    """`series` are those of the deployment that the dashboard shows, with a value every 5 s for ten minutes."""

    def setUp(self) -> None:
        board = json.loads((ROOT / "dashboards/overview.json").read_text())
        self.queries = {panel["title"]: panel["targets"][0]["expr"] for panel in board["panels"] if "targets" in panel}

    def expect(self, title: str, series: dict[str, str], wanted: float | str) -> None:
        expr = self.queries[title]
        for window, value in {"$__rate_interval": "1m", "$__range": "5m"}.items():
            expr = expr.replace(window, value)
        for name, value in CHOSEN.items():
            expr = re.sub(rf"\${name}\b", value, expr)
        self.assertNotIn("$", expr)
        if wanted == SILENT:
            # A value that is not a number differs from itself.
            case = {"expr": f"count(({expr}) != ({expr}))", "exp_samples": [{"labels": "{}", "value": 1}]}
        else:
            case = {"expr": f"sum({expr})", "exp_samples": [{"labels": "{}", "value": wanted}]}
        inputs = [{"series": f"{whole(name, LIVE)}", "values": values} for name, values in series.items()]
        inputs += [{"series": f"{whole(name, OTHER)}", "values": "7+1000x120"} for name in OTHERS]
        test = {
            "rule_files": [str(ROOT / "prometheus/rules/recording.yml")],
            "evaluation_interval": "5s",
            "tests": [
                {"interval": "5s", "input_series": inputs, "promql_expr_test": [case | {"eval_time": f"{MINUTES}m"}]}
            ],
        }
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(test, file)
            file.flush()
            run = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, f"{title}: {run.stdout}{run.stderr}")

    def test_a_dead_deployment_is_silent(self) -> None:
        for title in (
            "Accepted", "Refused", "Click to count, p99", "Oldest entry", "Time to drain", "Viewers", "Results read",
            "Replicas missing", "Turnout", "Click to screen", "Lost or wrong", "Silent for",
        ):  # fmt: skip
            with self.subTest(title):
                self.expect(title, {}, SILENT)

    def test_silence_says_since_when(self) -> None:
        self.expect("Silent for", {'up{job="producer",instance="p"}': "1x59 0x61"}, 305)
        self.expect("Silent for", {'up{job="producer",instance="p"}': "1x120"}, 0)
        self.expect("Replicas missing", {'up{job="producer",instance="p"}': "1x59 0x61"}, 1)

    def test_an_idle_night_is_no_fault(self) -> None:
        ballots = {
            f'votestream_ballots_total{{outcome="{outcome}"}}': "5x120" for outcome in ("accepted", "unavailable")
        }
        self.expect("Refused", ballots, NONE)
        waits = {f"votestream_ballot_to_commit_seconds_{part}": "5x120" for part in ("count", 'bucket{le="+Inf"}')}
        self.expect("Click to count, p99", waits, NONE)

    def test_time_to_drain_is_infinite_while_nothing_is_counted(self) -> None:
        entries = 'votestream_stream_entries{partition="0"}'
        counted = 'votestream_votes_total{outcome="counted"}'
        dead = "votestream_dead_letters_total"
        self.expect("Time to drain", {entries: "50x120", counted: "9x120", dead: "0x120"}, NEVER)
        self.expect("Time to drain", {entries: "50x120", counted: "0+50x120", dead: "0x120"}, 5)
        self.expect("Time to drain", {entries: "0x120", counted: "9x120", dead: "0x120"}, 0)

    def test_the_last_vote_of_the_canary(self) -> None:
        title = "Click to screen"
        answers = {'up{job="producer",instance="p"}': "1x120"}
        canary = answers | {'up{job="canary",instance="k"}': "1x120"}
        ballots = {'votestream_canary_ballots_total{job="canary",outcome="shown"}': "0+1x120"}
        last = 'votestream_canary_last_screen_seconds{job="canary",instance="k"}'
        self.expect(title, canary | ballots | {last: "0.25x120"}, 0.25)
        self.expect(title, canary | ballots | {last: "0.25x60" + " NaN" * 60}, NEVER)
        # A deployment without a canary is not silent, and one whose canary died is.
        self.expect(title, answers, NONE)
        dead = answers | {'up{job="canary",instance="k"}': "1x60 0x59"}
        self.expect(title, dead | {last: "0.25x60 stale"}, SILENT)

    def test_a_slow_vote_is_not_rounded_to_nothing(self) -> None:
        self.expect("Accepted", {'votestream_ballots_total{outcome="accepted"}': "0+1x120"}, 0.2)

    def test_the_turnout_is_exact(self) -> None:
        voters = 'votestream_voters{job="dashboard",instance="%s"}'
        # Both dashboards read the same number; one is a tick late.
        self.expect("Turnout", {voters % "a": "11412+1x120", voters % "b": "11411+1x120"}, 11532)

    def test_waits_above_the_last_bound_are_not_capped(self) -> None:
        bucket = 'votestream_ballot_to_commit_seconds_bucket{le="%s"}'
        late = {bucket % "30": "0x120", bucket % "+Inf": "0+1x120"}
        self.expect("Click to count, p99", late | {'votestream_stream_oldest_age_seconds{partition="0"}': "95x120"}, 95)
        quick = {bucket % "1": "0+1x120", bucket % "+Inf": "0+1x120"}
        self.expect("Click to count, p99", quick, 0.99)

    def test_the_clock_of_a_dashboard_does_not_matter(self) -> None:
        read = 'votestream_board_read_timestamp_seconds{job="dashboard",instance="d"}'
        self.expect("Results read", {read: "-6+5x120"}, 0)
        self.expect("Results read", {read: "-6+5x110 544x10"}, 50)


OTHERS = [
    'votestream_ballots_total{outcome="accepted"}',
    'votestream_votes_total{outcome="counted"}',
    "votestream_viewers",
    'votestream_stream_oldest_age_seconds{partition="0"}',
    'votestream_stream_entries{partition="0"}',
]


def whole(series: str, labels: str) -> str:
    """Adds the labels of a deployment, and those of a target that are missing."""
    name, _, inside = series.partition("{")
    inside = inside.removesuffix("}")
    missing = [f'{label}="x"' for label in ("job", "instance") if not re.search(rf"(^|,){label}=", inside)]
    return f"{name}{{{','.join([part for part in (inside, labels) if part] + missing)}}}"


if __name__ == "__main__":
    unittest.main()
