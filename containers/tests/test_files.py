#!/usr/bin/env python3
"""Checks that compose.yaml and its scripts agree with the rest of the project."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path):
    return (ROOT / path).read_text()


def services():
    told = subprocess.run(
        ["docker-compose", "--profile", "tools", "config", "--format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    return json.loads(told.stdout)["services"]


def serving(told):
    """Returns the services that run until they are stopped: all except jobs, which end, and tools."""
    jobs = {
        needed for service in told.values()
        for needed, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    return [name for name, service in told.items() if name not in jobs and "profiles" not in service]


class Files(unittest.TestCase):
    def test_all_that_is_compiled_goes_into_the_build(self):
        members = tomllib.loads(read("Cargo.toml"))["workspace"]["members"]
        taken = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
        self.assertLessEqual(set(members), taken)

    def test_no_password_and_no_floating_image(self):
        for name, service in services().items():
            for setting, value in service.get("environment", {}).items():
                if re.search("PASS|SECRET|KEY|DATABASE_URL|REDIS_URL", setting):
                    self.assertRegex(value, "^/secrets(/|$)", setting)
            self.assertRegex(service["image"], r":[\w.-]+$", name)
            self.assertNotIn(":latest", service["image"], name)

    def test_everything_is_confined(self):
        for name, service in services().items():
            self.assertTrue(service["read_only"], name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"], name)
            added = service.get("cap_add", [])
            self.assertEqual(added, ["CHOWN"] if name == "secrets" else [], name)
            self.assertNotIn("privileged", service, name)

    def test_what_serves_is_restarted_and_keeps_its_data(self):
        told = services()
        for name in serving(told):
            self.assertEqual(told[name]["restart"], "unless-stopped", name)
        for name, path in (("redis", "/data"), ("postgres", "/var/lib/postgresql/data")):
            kept = {v["target"] for v in told[name]["volumes"] if v["type"] == "volume"}
            self.assertIn(path, kept)
        self.assertEqual(told["consumer"]["scale"], 2)

    def test_what_serves_is_asked_for_its_health(self):
        told, stages = services(), read("Dockerfile").split("\nFROM ")
        for name in serving(told):
            self.assertTrue(told[name].get("healthcheck", {}).get("test"), name)
        for name in ("producer", "consumer", "dashboard"):
            asked = ["CMD", f"/{name}", "healthcheck"]
            self.assertEqual(told[name]["healthcheck"]["test"], asked)
            stage = next(stage for stage in stages if stage.startswith(f"scratch AS {name}\n"))
            self.assertIn(f'CMD ["/{name}", "healthcheck"]', stage)

    def test_settings_of_one_machine_stay_out_of_git(self):
        subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=ROOT, check=True)

    def test_ci_leaves_no_container_out(self):
        done = subprocess.run(
            [ROOT / "containers/check"], env=os.environ | {"CI": "true", "CONTAINERS": "skip"},
            capture_output=True, text=True, check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)

    def test_what_is_mounted_is_there(self):
        for name, service in services().items():
            for volume in service.get("volumes", []):
                if volume["type"] == "bind":
                    self.assertTrue(pathlib.Path(volume["source"]).exists(), volume["source"])

    def test_only_the_pages_are_open_to_the_world(self):
        for name, service in services().items():
            for port in service.get("ports", []):
                if name not in ("producer", "dashboard"):
                    self.assertEqual(port["host_ip"], "127.0.0.1", name)


# A file, a mistake in it, and the rule that the linter must name.
MISTAKES = {
    "images/Dockerfile": ("FROM debian:latest\n", "DL3007"),
    "scripts/unquoted.sh": ("#!/bin/sh\nrm $1\n", "SC2086"),
    "scripts/without-an-ending": ("#!/usr/bin/env bash\ncd /tmp\nls\n", "SC2164"),
    "yaml/twice.yaml": ("name: one\nname: two\n", "duplication of key"),
    "yaml/indented.yml": ("list:\n   - wrong\n", "wrong indentation"),
}


class Linters(unittest.TestCase):
    def test_planted_mistakes_are_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "init", "--quiet", folder], check=True)
            for name, (content, _) in MISTAKES.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
            done = subprocess.run(
                [ROOT / "containers/lint", folder], capture_output=True, text=True, check=False
            )
        self.assertEqual(done.returncode, 1, done.stderr)
        for name, (_, said) in MISTAKES.items():
            with self.subTest(mistake=name):
                self.assertIn(name, done.stdout)
                self.assertIn(said, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
