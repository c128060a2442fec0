#!/usr/bin/env python3
"""Tests compose.yaml with real containers: votes go through them, and they are confined."""

import json
import os
import pathlib
import signal
import sys
import time
import unittest

from engine import Compose, containers, eventually, healthy, http, inspect, logs, podman

VOTE, RESULTS = "http://127.0.0.1:8080", "http://127.0.0.1:8081"
OURS = ("producer", "consumer", "dashboard", "host", "canary")
SERVERS = ("redis", "postgres")
NO_CAPABILITY = "0000000000000000"


def new_voter():
    """Returns the cookie of a new voter."""
    return http(f"{VOTE}/")[1]["set-cookie"].split(";")[0]


def vote(choice, voter):
    """Returns status and body of the answer. After a 503 it tries again, as the same voter."""
    headers = {"content-type": "application/json", "cookie": voter}
    body = json.dumps({"choices": [choice]}).encode()
    for _ in range(10):
        status, _, told = http(f"{VOTE}/api/polls/cats-vs-dogs/ballots", body, headers)
        if status != 503:
            break
        time.sleep(1)
    return status, told


def tally():
    status, _, body = http(f"{RESULTS}/api/polls/cats-vs-dogs/tally")
    if status != 200:
        return None
    return {option["slug"]: option["votes"] for option in json.loads(body)["options"]}


class Pipeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # All voters of this test come from one address.
        cls.compose = Compose(os.environ | {"NEW_VOTERS_PER_MINUTE": "0"})
        cls.compose.up(*OURS)
        cls.votes = {"cats": 0, "dogs": 0}

    @classmethod
    def tearDownClass(cls):
        cls.compose.compose("down", "--volumes", check=False)

    def cast(self, choice, times=1):
        for _ in range(times):
            status, told = vote(choice, new_voter())
            # A ballot may also count if it was stored and its answer was lost.
            self.assertIn((status, json.loads(told).get("choices")), ((202, [choice]), (409, [choice])))
            self.votes[choice] += 1

    def all_are_counted(self):
        eventually(f"the tally is {self.votes}", lambda: tally() == self.votes)

    def test_1_a_vote_is_counted_once_and_shown(self):
        voter = new_voter()
        self.assertEqual(vote("cats", voter)[0], 202)
        self.votes["cats"] += 1
        self.assertEqual(vote("dogs", voter)[0], 409)
        self.cast("dogs", 3)
        self.all_are_counted()
        self.assertIn("Cats or Dogs?", http(f"{VOTE}/")[2])

    def test_2_two_consumers_share_the_work_and_one_may_be_killed(self):
        one, other = containers("consumer")
        podman("kill", "--signal", "KILL", one)
        eventually("it is dead", lambda: not inspect(one)["State"]["Running"])
        self.assertEqual(inspect(one)["State"]["ExitCode"], 128 + signal.SIGKILL)
        self.assertFalse(healthy(one))
        self.cast("cats", 20)
        self.all_are_counted()
        podman("start", one)
        eventually("it is back", lambda: healthy(one))
        podman("kill", "--signal", "KILL", other)
        self.cast("dogs", 20)
        self.all_are_counted()
        podman("start", other)
        eventually("both are back", lambda: healthy(other))

    def test_2_a_killed_redis_keeps_what_nobody_has_counted(self):
        consumers = containers("consumer")
        for name in consumers:
            podman("stop", name)
        self.cast("cats", 50)
        redis = containers("redis")[0]
        podman("kill", "--signal", "KILL", redis)
        eventually("it is dead", lambda: not inspect(redis)["State"]["Running"])
        podman("start", redis)
        eventually("it is back", lambda: healthy(redis))
        for name in consumers:
            podman("start", name)
        self.all_are_counted()

    def test_3_nothing_is_allowed_that_is_not_needed(self):
        for service in OURS + SERVERS:
            for name in containers(service):
                with self.subTest(container=name):
                    told = inspect(name)
                    process = pathlib.Path("/proc", str(told["State"]["Pid"]))
                    status = dict(
                        line.split(":\t", 1) for line in (process / "status").read_text().splitlines()
                    )
                    user = "65532" if service in OURS else "999"
                    self.assertEqual(status["Uid"].split(), [user] * 4)
                    self.assertEqual(status["Gid"].split(), [user] * 4)
                    for group in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
                        self.assertEqual(status[group], NO_CAPABILITY, group)
                    self.assertEqual(status["NoNewPrivs"], "1")
                    self.assertEqual(status["Seccomp"], "2")
                    mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
                    root = next(mount for mount in mounts if mount[4] == "/")
                    self.assertIn("ro", root[5].split(","))
                    secrets = [mount for mount in mounts if mount[4] == "/secrets"]
                    # The canary is a voter and a viewer, and knows nothing that these do not know.
                    self.assertEqual(len(secrets), 0 if service == "canary" else 1)
                    for mount in secrets:
                        self.assertIn("ro", mount[5].split(","))

    def test_4_each_has_its_own_secrets_and_they_show_nowhere(self):
        def held(service):
            pid = inspect(containers(service)[0])["State"]["Pid"]
            folder = pathlib.Path(f"/proc/{pid}/root/secrets")
            return sorted(folder.iterdir()) if folder.exists() else []

        self.assertEqual([f.name for f in held("producer")], ["cookie-keys", "redis-url", "signing-keys"])
        self.assertEqual([f.name for f in held("consumer")], ["database-url", "redis-url", "signing-keys"])
        self.assertEqual([f.name for f in held("dashboard")], ["database-url"])
        self.assertEqual(held("canary"), [])
        files = [file for service in OURS + SERVERS for file in held(service)]
        secrets = {file.read_text().strip() for file in files if file.name != "users.acl"}
        for file in files:
            self.assertEqual(file.stat().st_mode & 0o777, 0o400, file)
        everything = podman("ps", "--all", "--format", "{{.Names}}").split()
        shown = "".join(podman("inspect", name) + logs(name) for name in everything)
        # The last word of a URL's password, or of a signing key behind its name.
        passwords = [s.split("@")[0].rsplit(":", 1)[-1].split()[-1] for s in secrets]
        self.assertGreaterEqual(len(set(passwords)), 8)
        for password in passwords:
            self.assertEqual(len(password), 64)
            self.assertNotIn(password, shown)

    def test_5_the_networks_keep_strangers_apart(self):
        def networks(service):
            return set(inspect(containers(service)[0])["NetworkSettings"]["Networks"])

        self.assertFalse(networks("producer") & networks("postgres"))
        self.assertFalse(networks("dashboard") & networks("redis"))
        for server in SERVERS:
            for network in networks(server):
                self.assertTrue(json.loads(podman("network", "inspect", network))[0]["internal"])

    def test_6_the_audit_balances(self):
        self.cast("cats", 5)
        self.all_are_counted()
        told = self.compose.votectl("audit", check=False)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_7_a_stop_drains_and_the_votes_stay(self):
        self.cast("dogs", 5)
        for service in OURS:
            for name in containers(service):
                podman("stop", name)
                self.assertEqual(inspect(name)["State"]["ExitCode"], 0, logs(name)[-2000:])
                last = json.loads(logs(name).strip().splitlines()[-1])
                self.assertIn(" stopped: ", last["message"])
                self.assertIs(last["drained"], True)
        for server in SERVERS:
            podman("stop", *containers(server))
            self.assertEqual(inspect(containers(server)[0])["State"]["ExitCode"], 0, server)
        self.compose.compose("down")
        self.assertEqual(podman("ps", "--all", "--quiet"), "")
        self.compose.up(*OURS)
        self.all_are_counted()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2, failfast=True)
