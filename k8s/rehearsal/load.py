"""Simulates voters inside the cluster, with pods of the load tester's image. They use the edges of the component loadtest, so
their requests pass through the Service and the network policies like those of an Ingress.

Each pod votes at a steady rate. Every voter opens the ballot page first, as people do, so each has a cookie before the vote.
Half of the voters use a new connection, so that all producers get requests. The load tester writes a line for each ballot
(`--journal -`), and this module follows the pod's log. The voters do not run on this machine, because not every cluster
accepts connections from it, and forwarded ports bypass the policies and break when their pod ends.
"""

import json
import subprocess
import threading
import time

from .ballots import Journal
from .clock import eventually, say
from .kubectl import Failed

MIX = "page=100%,fresh=50%"
# On a slow or new cluster a pod may fail to start. Nobody has voted then, so it is started again.
STARTS = 3


class LoadFailed(Exception):
    """The load itself failed; the deployment may be in order."""


class Load:
    """A running load."""

    def __init__(self, kubectl, poll, name, arguments):
        self.kubectl, self.poll, self.arguments = kubectl, poll, arguments
        self.journal, self.report, self.pod, self.node = Journal(), None, None, None
        # The pod's clock is behind ours by this many seconds, including the transport of a line: the smallest value seen.
        self.behind_s = None
        self._base, self._follower, self._ended = name, None, threading.Event()
        # Output of the load tester other than the journal.
        self.words = []

    def start(self):
        """Returns once somebody has voted."""
        for attempt in range(STARTS):
            self.pod = f"{self._base}-{attempt}"
            self.kubectl.create(self._manifest())
            self._ended.clear()
            self._follower = threading.Thread(target=self._follow, daemon=True)
            self._follower.start()
            eventually(f"{self.pod} votes or ends", lambda: self.journal.ballots() or self._ended.is_set(), 120)
            if self.journal.ballots():
                self.node = self.kubectl.get("pod", self.pod)["spec"]["nodeName"]
                return self
            say(f"{self.pod} could not begin, another is started: {' '.join(self.words)[-300:]}")
            time.sleep(3)
        raise LoadFailed(f"the load does not begin: {' '.join(self.words)[-1000:]}")

    def stop(self):
        """Ends the load and reads its last lines. It gives the pod a deadline that has passed, because deleting the pod
        would delete the end of its log."""
        if not self._ended.is_set():
            self.kubectl.do("patch", "pod", self.pod, "--patch", '{"spec":{"activeDeadlineSeconds":1}}')
        return self.wait(60)

    def wait(self, within):
        """Waits until a load ends by itself."""
        eventually(f"{self.pod} ends", self._ended.is_set, within)
        self._follower.join()
        if self.journal.missing():
            raise LoadFailed(f"{self.journal.missing()} lines of {self.pod}'s journal are missing")
        return self

    def is_running(self):
        return not self._ended.is_set()

    def ballots(self):
        return self.journal.ballots()

    def here(self, moment):
        """Converts a time of this machine's clock to the load's clock."""
        return moment - (self.behind_s or 0)

    def _manifest(self):
        template = self.kubectl.get("job", "loadtest")["spec"]["template"]
        # Leave out the labels that Kubernetes has added: they name the Job.
        ours = ("app.kubernetes.io/", "votestream/")
        labels = {key: value for key, value in template["metadata"]["labels"].items() if key.startswith(ours)}
        spec = template["spec"]
        spec.pop("topologySpreadConstraints", None)
        spec.update(restartPolicy="Never", terminationGracePeriodSeconds=30)
        spec["containers"][0].update(
            args=["run", f"--target={address(self.kubectl, 'producer')}", "--wait=60s", f"--poll={self.poll}",
                  f"--mix={MIX}", "--no-audit", "--quiet", "--threads=1", "--warm-up=0s", "--journal=-", "--json=-",
                  *self.arguments],
            # The log is the result of this pod, so it needs room.
            resources={"requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "128Mi"},
                       "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "1Gi"}})
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.pod, "labels": labels}, "spec": spec}

    def _follow(self):
        try:
            ended = False
            while not ended:
                # Read once more after the pod's end, in case the connection broke before.
                ended = self._phase() in ("Succeeded", "Failed", "Gone")
                # Read from the start each time: known lines do not count twice.
                log = self.kubectl.start("logs", "--follow", f"pod/{self.pod}")
                self.words = []
                for line in log.stdout:
                    self._read(line)
                log.wait()
                time.sleep(0.5)
            self._keep_report()
        finally:
            self._ended.set()

    def _read(self, line):
        if not self.journal.add(line):
            self.words.append(line.rstrip("\n"))
            return
        heard, ballot = time.time(), json.loads(line)
        behind = heard - ballot["at_ms"] / 1000
        self.behind_s = behind if self.behind_s is None else min(self.behind_s, behind)

    def _phase(self):
        try:
            found = self.kubectl.find("pod", self.pod)
        except (Failed, subprocess.TimeoutExpired):
            return "Unknown"
        return found["status"]["phase"] if found else "Gone"

    def _keep_report(self):
        """Returns the report, which is at the end of the output, on one or several lines."""
        text = "\n".join(self.words)
        begin = text.find("{")
        if begin >= 0:
            try:
                self.report = json.JSONDecoder().raw_decode(text[begin:])[0]
            except ValueError:
                pass


def address(kubectl, service):
    """Returns the service's URL without a name, so that the load goes on when DNS is down."""
    return f"http://{kubectl.get('service', service)['spec']['clusterIP']}"


def steady(kubectl, poll, name, rate):
    """Returns a load that votes until it is stopped, with some viewers."""
    arguments = [f"--results={address(kubectl, 'dashboard')}", "--viewers=10", f"--rate={rate}", "--duration=6h",
                 "--arrivals=constant", "--connections-max=1024"]
    return Load(kubectl, poll, name, arguments).start()


def some(kubectl, poll, name, voters):
    """Returns a load of a fixed number of voters."""
    arguments = ["--connections=5", f"--voters={voters}", "--duration=60s"]
    return Load(kubectl, poll, name, arguments).start()
