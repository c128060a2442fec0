#!/usr/bin/env python3
"""Rehearses a rolling update: every consumer, producer and dashboard is replaced by one of a newer image, one after the
other, behind a plain TCP load balancer, while the load tester votes and watches.

No request may fail, no acknowledged ballot may be lost, no viewer may miss a change, and no replica may be killed. The new
replica is ready before the old one stops (maxUnavailable 0). The test does this twice:

- forward, where the balancer learns only from the replica itself that it stops: during DRAIN_DELAY_MS the replica reports
  "not ready" and serves on;
- and back, in the way in which Kubernetes stops a pod: the pod stays ready while preStop sleeps, meanwhile nothing routes to
  it any more, and then it gets SIGTERM, without a drain delay.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from engine import PROJECT, Compose, eventually, healthy, http, inspect, logs, podman

OLD, NEW = "old", "new"
# Longer than the balancer takes to notice that a server is not ready any more.
CHECK_EVERY_MS, DRAIN_DELAY_MS = 200, 2000
# Seconds until nothing routes to a stopping pod any more, and seconds of preStop; the manifests wait longer.
TOLD_S, PRE_STOP_S = 1, 3
PORTS = {"producer": (8080, 9080), "dashboard": (8081, 9081)}
SERVICES = ("consumer", *PORTS)
RATE, VIEWERS = 40, 40

# One place more than there are replicas, because the new replica starts before the old one stops.
PLACES = 3
BALANCER = """
global
    maxconn 4096
    stats socket {socket} level admin
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
    """Returns the warnings of a service, which explain failed requests."""
    return [f"{name}: {line}" for line in logs(name).splitlines() if '"WARN"' in line]


class Rolling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = Compose(os.environ | {"VERSION": OLD})
        cls.compose.up("poll")
        # podman-compose makes only the networks of the services that it starts.
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
        # podman 4.3 fails if containers end by themselves meanwhile; compose removes the rest.
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
        configuration.write_text(BALANCER.format(
            check_every=CHECK_EVERY_MS, services=services, socket=cls.folder / "haproxy.sock"))
        with open(cls.folder / "haproxy.log", "w") as log:
            return subprocess.Popen(["haproxy", "-f", configuration], stdout=log, stderr=log)

    def route(self, service, place, state):
        """Sets whether the balancer opens new connections to a place: "ready", or "maint" for none."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.folder / "haproxy.sock"))
            control.sendall(f"set server {service}/{service}{place} state {state}\n".encode())
            self.assertEqual(control.recv(1000).strip(), b"")

    def start(self, service, version, place, settings):
        """Starts a replica with all settings that compose.yaml has for its service."""
        told, name = self.compose.services[service], f"{service}-{place}"
        words = ["run", "--detach", "--name", name, "--read-only", "--read-only-tmpfs=false",
                 "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
                 "--health-cmd", json.dumps(told["healthcheck"]["test"][1:])]
        for setting, value in (told["environment"] | {"NEW_VOTERS_PER_MINUTE": 0} | settings).items():
            words += ["--env", f"{setting}={value}"] if value is not None else []
        for volume in told["volumes"]:
            words += ["--volume", f"{PROJECT}_{volume['source']}:{volume['target']}:ro"]
        for network in told["networks"]:
            fixed = f":ip={self.address(service, place)}" if network == "front" else ""
            words += ["--network", f"{PROJECT}_{network}{fixed}"]
        podman(*words, f"localhost/votestream/{service}:{version}")
        eventually(f"{name} is ready: {logs(name)[-1000:]}", lambda: healthy(name), 30)
        if service in PORTS:
            self.route(service, place, "ready")

    def stop(self, service, place):
        """Sends SIGTERM and waits while the replica drains."""
        name = f"{service}-{place}"
        podman("stop", "--time", "20", name)
        said = logs(name)
        self.assertEqual(inspect(name)["State"]["ExitCode"], 0, said[-2000:])
        self.assertIs(json.loads(said.strip().splitlines()[-1])["drained"], True)
        self.warnings += warnings(name)
        podman("rm", name)

    def stop_as_kubernetes_does(self, service, place):
        if service not in PORTS:  # nobody routes to a consumer, and it has no preStop
            return self.stop(service, place)
        time.sleep(TOLD_S)
        self.assertTrue(healthy(f"{service}-{place}"), "it is ready while it waits")
        self.route(service, place, "maint")
        time.sleep(PRE_STOP_S - TOLD_S)
        self.stop(service, place)

    def test_1_forward_and_the_services_say_that_they_are_not_ready(self):
        self.rehearse(OLD, NEW, {"DRAIN_DELAY_MS": DRAIN_DELAY_MS}, self.stop)

    def test_2_and_back_as_kubernetes_stops_pods(self):
        self.rehearse(NEW, OLD, {}, self.stop_as_kubernetes_does)

    def rehearse(self, before, after, settings, stop):
        """Replaces every replica under load; no request fails."""
        for service in SERVICES:
            for place in range(PLACES - 1):
                self.start(service, before, place, settings)
        for port, _ in PORTS.values():
            eventually("the balancer forwards", lambda port=port:
                       http(f"http://127.0.0.1:{port}/")[0] == 200)
        report = self.folder / f"{after}.json"
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
            if after == NEW:
                # Migrations run before the services are updated, and their additions stay when the services go back.
                newer = Compose(os.environ | {"VERSION": NEW})
                newer.votectl(*newer.services["migrate"]["command"])
            for service in SERVICES:
                for place in range(PLACES - 1):
                    # The new replica takes the free place: the spare one, or that of the replaced replica.
                    self.start(service, after, (place + PLACES - 1) % PLACES, settings)
                    time.sleep(3 * CHECK_EVERY_MS / 1000)  # the balancer has seen it
                    stop(service, place)
            time.sleep(2)
        finally:
            load.send_signal(2)  # ends the load; the audit and the report follow
            said, _ = load.communicate(timeout=120)

        replicas = podman("ps", "--format", "{{.Image}} {{.Names}}").splitlines()
        ours = [line for line in replicas if line.split()[1].split("-")[0] in SERVICES]
        self.assertEqual(len(ours), 6, ours)
        self.assertTrue(all(f":{after} " in line for line in ours), ours)
        for replica in ours:
            name = replica.split()[1]
            self.warnings += warnings(name)
            podman("rm", "--force", "--time", "10", name)
        self.check(json.loads(report.read_text()), "\n".join([said, *self.warnings]))

    def check(self, told, said):
        ballots, viewers, findings = told["ballots"], told["viewers"], told["audit"]["findings"]
        print(f"{told['schedule']['sent']} voters sent, outcomes {ballots['outcomes']}, "
              f"audit {told['audit']['verdict']}, {json.dumps(findings)}; viewers "
              f"{ {name: value for name, value in viewers.items() if isinstance(value, int)} }")
        self.assertGreater(told["schedule"]["sent"], 10 * RATE, said)
        self.assertEqual(ballots["error_ratio"], 0, said)
        self.assertEqual(ballots["errors"], 0, said)
        self.assertEqual(told["audit"]["verdict"], "balanced", said)
        self.assertTrue(all(number == 0 for number in findings.values()), findings)
        # Both dashboards were replaced, so streams ended. Each was opened again at once, and no change was missed.
        self.assertEqual((viewers["watching"], viewers["with_state"]), (VIEWERS, VIEWERS), said)
        self.assertGreaterEqual(viewers["reconnects"], VIEWERS, said)
        for failure in ("refused", "connect_failures", "stale_frames", "regressions", "gaps"):
            self.assertEqual(viewers[failure], 0, f"{failure}: {viewers}\n{said}")
        # Viewers reconnect after about a second; allow more.
        self.assertLess(viewers["silence_max_us"], 10e6, said)
        self.assertEqual(told["screen"]["never_shown"], 0, said)
        audit = self.compose.votectl("audit", check=False)
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2, failfast=True)
