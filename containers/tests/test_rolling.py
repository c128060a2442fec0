#!/usr/bin/env python3
"""A rolling update, rehearsed: every consumer, producer and dashboard is replaced by one of a newer
image, one after the other, behind a plain TCP load balancer, while the load tester votes and watches.

Kept: no request fails, no acknowledged ballot is lost, nobody is stopped by force. The new replica is
there before the old one goes (maxUnavailable 0), and the old one drains: not ready first, then closed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from engine import PROJECT, Compose, eventually, healthy, http, inspect, logs, podman, run

OLD, NEW = "old", "new"
# The longest that the balancer takes to see that a server is not ready any more, and then some.
CHECK_EVERY_MS, DRAIN_DELAY_MS = 200, 2000
PORTS = {"producer": (8080, 9080), "dashboard": (8081, 9081)}
RATE, VIEWERS = 40, 40

# One place more than there are replicas: the new one comes before the old one goes.
PLACES = 3
BALANCER = """
global
    maxconn 4096
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 1s
    retries 3
    option redispatch
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter {check_every}ms fall 1 rise 1
frontend statistics
    mode http
    bind 127.0.0.1:8404
    http-request return status 200 content-type text/plain string ready
{services}
"""


def warnings(name):
    """What a service warned of, for whoever wonders why a request failed."""
    return [f"{name}: {line}" for line in logs(name).splitlines() if '"WARN"' in line]


class Rolling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = Compose(os.environ | {"VERSION": OLD})
        cls.compose.up("poll")
        # podman-compose makes the networks of what it starts.
        podman("network", "create", "--internal", f"{PROJECT}_metrics")
        podman("network", "create", f"{PROJECT}_front")
        network = json.loads(podman("network", "inspect", f"{PROJECT}_front"))[0]
        cls.prefix = network["subnets"][0]["subnet"].rsplit(".", 1)[0]
        cls.folder, cls.warnings = pathlib.Path(tempfile.mkdtemp()), []
        cls.balancer = cls.balance()

    @classmethod
    def tearDownClass(cls):
        cls.balancer.terminate()
        cls.balancer.wait()
        # podman 4.3 stumbles over containers that end by themselves meanwhile; compose removes the rest.
        podman("rm", "--all", "--force", "--time", "10", check=False)
        cls.compose.compose("down", "--volumes", check=False)

    @classmethod
    def address(cls, service, place):
        return f"{cls.prefix}.{100 + 10 * list(PORTS).index(service) + place}"

    @classmethod
    def balance(cls):
        services = ""
        for service, (port, admin) in PORTS.items():
            services += f"listen {service}\n    bind 127.0.0.1:{port}\n"
            for place in range(PLACES):
                address = cls.address(service, place)
                services += f"    server {service}{place} {address}:{port} check port {admin}\n"
        configuration = cls.folder / "haproxy.cfg"
        configuration.write_text(BALANCER.format(check_every=CHECK_EVERY_MS, services=services))
        with open(cls.folder / "haproxy.log", "w") as log:
            return subprocess.Popen(["haproxy", "-f", configuration], stdout=log, stderr=log)

    def start(self, service, version, place):
        """A replica, run with all that compose.yaml says of its service."""
        told, name = self.compose.services[service], f"{service}-{place}"
        words = ["run", "--detach", "--name", name, "--read-only", "--cap-drop", "ALL",
                 "--security-opt", "no-new-privileges",
                 "--health-cmd", json.dumps(told["healthcheck"]["test"][1:])]
        settings = told["environment"] | {"DRAIN_DELAY_MS": DRAIN_DELAY_MS, "NEW_VOTERS_PER_MINUTE": 0}
        for setting, value in settings.items():
            words += ["--env", f"{setting}={value}"] if value is not None else []
        for volume in told["volumes"]:
            words += ["--volume", f"{PROJECT}_{volume['source']}:{volume['target']}:ro"]
        for network in told["networks"]:
            fixed = f":ip={self.address(service, place)}" if network == "front" else ""
            words += ["--network", f"{PROJECT}_{network}{fixed}"]
        podman(*words, f"localhost/votestream/{service}:{version}")
        eventually(f"{name} is ready: {logs(name)[-1000:]}", lambda: healthy(name), 30)
        return name

    def stop(self, name):
        podman("stop", "--time", "20", name)
        said = logs(name)
        self.assertEqual(inspect(name)["State"]["ExitCode"], 0, said[-2000:])
        self.assertIs(json.loads(said.strip().splitlines()[-1])["drained"], True)
        self.warnings += warnings(name)
        podman("rm", name)

    def update(self, service):
        """Replaces both replicas; the place that becomes free is the next one's."""
        for place in range(PLACES - 1):
            new = self.start(service, NEW, (place + PLACES - 1) % PLACES)
            if service in PORTS:
                time.sleep(3 * CHECK_EVERY_MS / 1000)  # the balancer has seen it
            self.stop(f"{service}-{place}")
        return new

    def test_no_request_fails_and_no_ballot_is_lost(self):
        for service in ("consumer", "producer", "dashboard"):
            for place in range(PLACES - 1):
                self.start(service, OLD, place)
        for port, _ in PORTS.values():
            eventually("the balancer forwards", lambda port=port:
                       http(f"http://127.0.0.1:{port}/")[0] == 200)

        report = self.folder / "report.json"
        load = subprocess.Popen(
            [pathlib.Path(sys.argv[1]).resolve() / "loadtest", "run", "--quiet",
             "--target", "http://127.0.0.1:8080", "--results", "http://127.0.0.1:8081",
             "--rate", str(RATE), "--duration", "10m", "--warm-up", "1s",
             "--viewers", str(VIEWERS), "--mix", "page=20%,fresh=20%,form=20%",
             "--json", report],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        try:
            time.sleep(3)
            self.assertIsNone(load.poll(), "the load has begun")
            for service in ("consumer", "producer", "dashboard"):
                self.update(service)
            time.sleep(2)
        finally:
            load.send_signal(2)  # ends the load; the audit and the report follow
            said, _ = load.communicate(timeout=120)

        told = json.loads(report.read_text())
        replicas = podman("ps", "--format", "{{.Image}} {{.Names}}").splitlines()
        ours = [line for line in replicas if "votestream/" in line]
        self.assertEqual(len(ours), 6, ours)
        remaining = [line for replica in ours for line in warnings(replica.split()[1])]
        said = "\n".join([said, *self.warnings, *remaining])
        self.assertTrue(all(f":{NEW} " in line for line in ours), ours)

        ballots, findings = told["ballots"], told["audit"]["findings"]
        print(f"{told['schedule']['sent']} voters sent, outcomes {ballots['outcomes']}, "
              f"audit {told['audit']['verdict']}, {json.dumps(findings)}")
        self.assertGreater(told["schedule"]["sent"], 10 * RATE, said)
        self.assertEqual(ballots["error_ratio"], 0, said)
        self.assertEqual(ballots["errors"], 0, said)
        self.assertEqual(told["audit"]["verdict"], "balanced", said)
        self.assertTrue(all(number == 0 for number in findings.values()), findings)
        audit = self.compose.votectl("audit", check=False)
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
