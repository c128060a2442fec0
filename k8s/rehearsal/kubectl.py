"""Runs kubectl for the rehearsal.

Queries are repeated while the API server does not answer, because a small cluster is slow now and then. Commands that change
something run only once.
"""

import json
import subprocess
import time

# Messages of kubectl that mean that the API server failed, and not the request.
AWAY = (
    "connection refused", "connection reset", "TLS handshake timeout", "i/o timeout", "request timed out",
    "Unable to connect to the server", "the server is currently unable", "etcdserver:", "unexpected EOF",
    "http2: client connection lost", "Client.Timeout", "error dialing backend",
)
TRIES, PAUSE_S = 10, 3


class Failed(Exception):
    """A command failed."""

    def __init__(self, words, done):
        said = done.stderr.strip() or done.stdout.strip()
        super().__init__(f"{' '.join(map(str, words))}: exit code {done.returncode}: {said[-2000:]}")
        self.stderr = done.stderr


def run(*words, check=True, **options):
    """Runs a command. Input and output are text; without `input`, standard input is empty."""
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    done = subprocess.run(words, text=True, capture_output=True, **options)
    if check and done.returncode:
        raise Failed(words, done)
    return done


class Kubectl:
    """Runs kubectl on one namespace, in the context that KUBECONFIG selects."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.prefix = ["kubectl", "--namespace", namespace]

    def do(self, *words, **options):
        """Runs a command once, and returns its output."""
        return run(*self.prefix, *words, **options).stdout

    def ask(self, *words, **options):
        """Runs a command that may be repeated, until the API server answers, and returns its output."""
        return self.ask_all(*words, **options).stdout

    def ask_all(self, *words, timeout=60, **options):
        """Like `ask`, but returns standard error, too."""
        for tries_left in reversed(range(TRIES)):
            try:
                return run(*self.prefix, *words, timeout=timeout, **options)
            except subprocess.TimeoutExpired:
                if not tries_left:
                    raise
            except Failed as failed:
                if not tries_left or not any(word in failed.stderr for word in AWAY):
                    raise
            time.sleep(PAUSE_S)

    def get(self, *words):
        """Returns an object, or a list of objects."""
        found = json.loads(self.ask("get", *words, "--output", "json"))
        return found["items"] if found["kind"].endswith("List") else found

    def find(self, *words):
        """Returns the object, or None if it does not exist."""
        found = self.ask("get", *words, "--ignore-not-found", "--output", "json")
        return json.loads(found) if found.strip() else None

    def create(self, obj):
        """Creates an object."""
        self.do("create", "--filename", "-", input=json.dumps(obj))

    def start(self, *words):
        """Starts a command and does not wait for its end."""
        return subprocess.Popen(
            [*self.prefix, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def pods(self, name):
        """Returns the pods of a workload that are not being deleted."""
        pods = self.get("pods", "--selector", f"app.kubernetes.io/name={name}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, name):
        """Returns those of the pods that are ready."""
        return [pod for pod in self.pods(name) if is_ready(pod)]


def is_ready(pod):
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
