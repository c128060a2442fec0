"""Starts compose.yaml with podman as Docker Compose does: it obeys dependencies, health checks and exit codes.

The order and the conditions are read from the file, with Docker Compose's meaning; podman-compose makes every container.
Prometheus and Grafana are left out on purpose, because their images come only from a registry.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request

PROJECT = "votestream"


def run(*words, check=True, **options):
    """Returns the output of a command; a failed command is an error unless `check` is off."""
    done = subprocess.run(words, text=True, capture_output=True, **options)
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr)[-4000:]
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{said}")
    return done


def podman(*words, **options):
    return run("podman", *words, **options).stdout.strip()


def inspect(name):
    return json.loads(podman("inspect", name))[0]


def eventually(what, ask, within=30.0):
    """Calls `ask` until it returns a true value, and returns that."""
    deadline = time.monotonic() + within
    while True:
        told = ask()
        if told:
            return told
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}; last: {told!r}")
        time.sleep(0.1)


def http(url, body=None, headers=None):
    """Returns status, headers and body of an answer with any status, or (None, {}, reason) if there is none."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
    except OSError as error:
        return None, {}, str(error)


def containers(service):
    """Returns the names of a service's containers."""
    label = f"label=com.docker.compose.service={service}"
    found = podman("ps", "--all", "--filter", label, "--format", "{{.Names}}")
    return sorted(found.split())


def healthy(name):
    """Runs the container's own health check now, because podman has timers only with systemd."""
    return run("podman", "healthcheck", "run", name, check=False).returncode == 0


def logs(name):
    done = run("podman", "logs", name, check=False)
    return done.stdout + done.stderr


class Compose:
    """The pipeline of compose.yaml."""

    def __init__(self, environment):
        self.environment = environment
        self.services = json.loads(
            run("docker-compose", "--profile", "tools", "config", "--format", "json",
                env=environment).stdout
        )["services"]

    def compose(self, *words, check=True):
        # Docker adds nothing writable to a read-only root; podman would.
        strict = "--podman-run-args=--read-only-tmpfs=false"
        return run("podman-compose", strict, *words, check=check, env=self.environment)

    def up(self, *services):
        """Starts these services and their dependencies, each when its conditions are met."""
        for service in self._in_order(services):
            for needed, how in self.services[service].get("depends_on", {}).items():
                self._wait(needed, how["condition"])
            self.compose("up", "--detach", "--no-build", "--no-deps", service)
        for service in services:
            serves = "healthcheck" in self.services[service]
            self._wait(service, "service_healthy" if serves else "service_completed_successfully")

    def votectl(self, *words, check=True):
        words = ("--profile", "tools", "run", "--rm", "--no-deps", "-T", "votectl", *words)
        return self.compose(*words, check=check)

    def _in_order(self, services, seen=None):
        seen = [] if seen is None else seen
        for service in services:
            if service not in seen:
                self._in_order(self.services[service].get("depends_on", {}), seen)
                seen.append(service)
        return seen

    @staticmethod
    def _wait(service, condition):
        names = containers(service)
        assert names, f"{service} has no container"
        for name in names:
            if condition == "service_healthy":
                eventually(f"{name} is healthy\n{logs(name)[-2000:]}", lambda: healthy(name), 60)
            elif condition == "service_completed_successfully":
                code = podman("wait", name)
                assert code == "0", f"{name} ended with {code}\n{logs(name)}"
            else:
                raise AssertionError(f"{service}: unknown condition {condition}")
