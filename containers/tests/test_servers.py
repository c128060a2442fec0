#!/usr/bin/env python3
"""Runs the servers of k8s/components as Kubernetes does (with a user that has no entry in /etc/passwd, a read-only root and
no capabilities), and runs the commands of their probes.

The tests do the kubelet's part themselves: they make the volumes and set their owners.
"""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import yaml
from engine import eventually, inspect, logs, podman, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS = os.environ["REDIS_IMAGE"]
PASSWORDS = {name: "secret" for name in ("password", "owner", "consumer", "dashboard", "host", "backup")}


class Server:
    """Runs the pod of a StatefulSet, with files for its config maps and secrets."""

    def __init__(self, component, files):
        folder = ROOT / "k8s/components" / component
        manifest = next(yaml.safe_load_all((folder / "statefulset.yaml").read_text()))
        self.name = manifest["metadata"]["name"]
        pod = manifest["spec"]["template"]["spec"]
        self.container = pod["containers"][0]
        self.user = pod["securityContext"]["runAsUser"]
        self.folder = pathlib.Path(tempfile.mkdtemp())
        os.chmod(self.folder, 0o711)
        for volume, contents in files.items():
            for name, content in contents.items():
                path = self.folder / volume / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
                path.chmod(0o555)

    def start(self):
        # Without this, podman would give the user a name.
        words = ["run", "--detach", "--name", self.name, "--user", f"{self.user}:{self.user}",
                 "--passwd=false", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL",
                 "--security-opt", "no-new-privileges"]
        for entry in self.container.get("env", []):
            words += ["--env", f"{entry['name']}={entry['value']}"]
        for mount in self.container["volumeMounts"]:
            source = self.folder / mount["name"] / mount.get("subPath", "")
            if not source.exists():  # an empty one
                source.mkdir()
                os.chown(source, self.user, self.user)
            mode = ":ro" if mount.get("readOnly") else ""
            words += ["--volume", f"{source}:{mount['mountPath']}{mode}"]
        command = self.container.get("command", [])
        if command:
            words += ["--entrypoint", command[0]]
        podman(*words, SERVERS, *command[1:], *self.container.get("args", []))

    def answers(self, probe):
        """Returns whether a probe's command succeeds."""
        command = self.container[probe]["exec"]["command"]
        return run("podman", "exec", self.name, *command, check=False).returncode == 0

    def remove(self):
        podman("rm", "--force", "--time", "20", self.name, check=False)
        shutil.rmtree(self.folder)


def component(name, *files):
    return {file: (ROOT / "k8s/components" / name / file).read_text() for file in files}


class Servers(unittest.TestCase):
    def runs(self, server):
        self.addCleanup(server.remove)
        server.start()
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            eventually(f"{probe} of {server.name}\n{logs(server.name)[-2000:]}",
                       lambda probe=probe: server.answers(probe), 30)
        podman("stop", "--time", "20", server.name)
        self.assertEqual(inspect(server.name)["State"]["ExitCode"], 0, logs(server.name)[-2000:])
        self.assertFalse(server.answers("readinessProbe"))

    def test_postgres(self):
        config = component("postgres", "postgresql.conf", "roles.sh")
        roles = {name: (ROOT / "schema/access" / name).read_text() for name in ("roles.sql", "database.sql")}
        self.runs(Server("postgres", {
            "config": config, "roles": roles, "superuser": PASSWORDS, "passwords": PASSWORDS,
        }))

    def test_redis(self):
        users = (ROOT / "schema/access/redis-users.acl").read_text()
        users = re.sub(r"^(user (?!default )\S+)", r"\1 on >secret", re.sub("(?m)^#.*\n", "", users), flags=re.M)
        users += "user health on nopass resetkeys resetchannels -@all +ping\n"
        self.runs(Server("redis", {
            "config": component("redis", "redis.conf"), "secrets": {"users.acl": users},
        }))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
