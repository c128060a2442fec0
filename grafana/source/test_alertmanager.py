"""Starts an Alertmanager with alertmanager/alertmanager.yml, and counts the notifications that alerts raise."""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from source.check_rules import read

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "alertmanager/alertmanager.yml"
# Debian's name for the program, and that of its authors.
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or "alertmanager"
LIVE = {"cluster": "a", "namespace": "votestream", "deployment": "live", "service": "votestream"}
# Everything that fires while Redis is frozen.
FROZEN_REDIS = [
    {"alertname": "DependencyDown", "severity": "critical", "job": "producer", "dependency": "redis"},
    {"alertname": "DependencyDown", "severity": "critical", "job": "producer", "dependency": "lanes"},
    {"alertname": "DependencyDown", "severity": "critical", "job": "consumer", "dependency": "redis"},
    {"alertname": "DependencyDown", "severity": "warning", "job": "consumer", "dependency": "redis", "instance": "c1"},
    {"alertname": "ProducerRefusing", "severity": "critical", "job": "producer"},
    {"alertname": "NoBallotStored", "severity": "critical", "job": "producer"},
    {"alertname": "CanaryFails", "severity": "critical", "job": "canary"},
    {"alertname": "RedisNotDurable", "severity": "critical", "job": "producer", "instance": "p1"},
    {"alertname": "OldestEntryWaits", "severity": "critical", "job": "consumer", "partition": "0"},
    {"alertname": "AcceptingBudgetBurns", "severity": "critical", "job": "producer", "window": "1h"},
    {"alertname": "AcceptingBudgetBurns", "severity": "warning", "job": "producer", "window": "1d"},
    {"alertname": "FreshnessBudgetBurns", "severity": "critical", "job": "consumer", "window": "1h"},
    {"alertname": "RetriesGoOn", "severity": "warning", "job": "consumer"},
    {"alertname": "RetriesGoOn", "severity": "warning", "job": "producer"},
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Notified(unittest.TestCase):
    """Each test has an Alertmanager of its own, with short waits, whose receivers are this program."""

    def setUp(self) -> None:
        self.received: list[tuple[str, list[dict]]] = []
        test = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                test.received.append((self.path.strip("/"), [alert["labels"] for alert in body["alerts"]]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Prints nothing."""

        receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        config = read(CONFIG)
        for one in config["receivers"]:
            address = f"http://127.0.0.1:{receiver.server_port}/{one['name']}"
            one["webhook_configs"] = [{"url": address, "send_resolved": False}]
        route = config["route"]
        for part in (route, *route["routes"]):
            part |= {"group_wait": "2s", "group_interval": "2s"}
        path = Path(home.name) / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={path}",
                f"--storage.path={home.name}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
                "--log.level=error",
            ]
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.until(lambda: self.amtool("alert", "query").returncode == 0)

    def amtool(self, *arguments: str) -> subprocess.CompletedProcess:
        command = ["amtool", f"--alertmanager.url={self.url}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def until(self, is_so) -> None:
        end = time.monotonic() + 20
        while not is_so():
            self.assertLess(time.monotonic(), end, f"received: {self.received}")
            time.sleep(0.1)

    def fire(self, alerts: list[dict], whose: dict = LIVE) -> None:
        for alert in alerts:
            added = self.amtool("alert", "add", *(f"{name}={value}" for name, value in (whose | alert).items()))
            self.assertEqual(added.returncode, 0, added.stderr)

    def names(self, receiver: str) -> list[list[str]]:
        """Returns the names of the alerts in each notification of a receiver."""
        return [sorted({alert["alertname"] for alert in alerts}) for to, alerts in self.received if to == receiver]

    def test_a_frozen_redis_is_one_page(self) -> None:
        self.fire(FROZEN_REDIS)
        # An alert of another program comes last, so the notifications before it have been sent.
        self.fire([{"alertname": "NodeDown", "severity": "critical"}], {})
        self.until(lambda: self.names("others") and self.names("pager"))
        time.sleep(3)
        self.assertEqual(self.names("pager"), [["DependencyDown"]])
        self.assertEqual(self.names("tickets"), [])
        self.assertEqual(self.names("others"), [["NodeDown"]])

    def test_the_same_fault_of_another_deployment_is_a_page_of_its_own(self) -> None:
        self.fire([{"alertname": "DependencyDown", "severity": "critical", "job": "producer", "dependency": "redis"}])
        for label in ("cluster", "namespace", "deployment"):
            self.fire(
                [{"alertname": "ProducerRefusing", "severity": "critical", "job": "producer"}], LIVE | {label: "b"}
            )
        self.until(lambda: len(self.names("pager")) == 4)
        self.assertEqual(sorted(self.names("pager")), [["DependencyDown"]] + [["ProducerRefusing"]] * 3)

    def test_a_fault_of_the_dashboards_hides_none_of_the_producers(self) -> None:
        self.fire(
            [{"alertname": "DependencyDown", "severity": "critical", "job": "dashboard", "dependency": "postgres"}]
        )
        self.fire([{"alertname": "NoDashboard", "severity": "critical", "component": "dashboard"}])
        self.fire([{"alertname": "ProducerRefusing", "severity": "critical", "job": "producer"}])
        self.fire([{"alertname": "TargetDown", "severity": "warning", "job": "producer", "component": "producer"}])
        self.fire([{"alertname": "TargetDown", "severity": "warning", "job": "dashboard", "component": "dashboard"}])
        self.until(lambda: self.names("pager") and self.names("tickets"))
        self.assertEqual(self.names("pager"), [["DependencyDown", "NoDashboard", "ProducerRefusing"]])
        self.assertEqual(self.names("tickets"), [["TargetDown"]])
        self.assertEqual([alerts[0]["job"] for to, alerts in self.received if to == "tickets"], ["producer"])

    def test_a_verifier_that_is_away_silences_no_page(self) -> None:
        ours = {"job": "producer"}
        self.fire([ours | {"alertname": "ChallengeVerifierDown", "severity": "warning"}])
        self.fire([ours | {"alertname": "BallotsRefused", "severity": "warning"}])
        self.fire([ours | {"alertname": "BallotsRefused", "severity": "critical"}])
        self.until(lambda: self.names("pager") and self.names("tickets"))
        self.assertEqual(self.names("pager"), [["BallotsRefused"]])
        self.assertEqual(self.names("tickets"), [["ChallengeVerifierDown"]])


class Written(unittest.TestCase):
    """The file itself."""

    def test_amtool_accepts_it(self) -> None:
        run = subprocess.run(["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_each_severity_goes_to_its_receiver(self) -> None:
        for labels, receiver in [
            (["service=votestream", "severity=critical"], "pager"),
            (["service=votestream", "severity=warning"], "tickets"),
            (["severity=critical"], "others"),
        ]:
            command = ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            self.assertEqual(run.stdout.strip(), receiver, labels)

    def test_it_names_only_alerts_that_exist(self) -> None:
        rules = [
            rule
            for path in (ROOT / "prometheus/rules").glob("*.yml")
            for group in read(path)["groups"]
            for rule in group["rules"]
        ]
        alerts = {rule["alert"] for rule in rules if "alert" in rule}
        named = {
            name
            for rule in read(CONFIG)["inhibit_rules"]
            for matcher in rule["source_matchers"] + rule["target_matchers"]
            for names in re.findall(r'^alertname=~?"(.*)"$', matcher)
            for name in names.split("|")
        }
        self.assertEqual(named - alerts, set())
        self.assertGreater(len(named), 20)


if __name__ == "__main__":
    unittest.main()
