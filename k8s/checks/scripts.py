"""`pin` and `votectl` do what they say: run here, with a kubectl that only writes down what it is told."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

from .deployment import HERE

KUBECTL = """#!/usr/bin/env python3
import json, os, sys
folder, words = os.environ["FOLDER"], sys.argv[1:]
with open(f"{folder}/calls", "a") as calls:
    print(*words, file=calls)
if "get" in words:
    print(open(f"{folder}/job.json").read())
if "create" in words:
    open(f"{folder}/created.json", "w").write(sys.stdin.read())
if "logs" in words:
    print("what votectl said")
sys.exit("--for=condition=complete" in words and os.environ["FAILS"] == "yes")
"""


def check():
    with tempfile.TemporaryDirectory(prefix="votestream-k8s-") as temporary:
        folder = pathlib.Path(temporary) / "k8s"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns(".venv", "files", "__pycache__"))
        return list(pin(folder)) + list(votectl(folder))


def pin(folder):
    """In a copy of k8s/, which it changes."""
    digest = "sha256:" + "5" * 64

    def run(*words):
        return subprocess.run([folder / "pin", *words], capture_output=True, text=True)

    for images in sorted(folder.glob("overlays/*/images/kustomization.yaml")):
        overlay = images.parent.parent.name
        before = yaml.safe_load(images.read_text())["images"]
        done = run(overlay, "registry.test/team", f"producer={digest}", f"postgres={digest}")
        after = yaml.safe_load(images.read_text())["images"]
        expected = [pinned(image, digest) for image in before]
        if done.returncode or after != expected:
            yield f"pin {overlay}: {after} instead of {expected}: {done.stderr}"
        listed = [f"{image.get('newName', image['name'])}@{image['digest']}" for image in expected]
        if done.stdout.splitlines() != listed:
            yield f"pin {overlay}: says {done.stdout.splitlines()}"
        text = images.read_text()
        for wrong in ("producer=latest", f"nobody={digest}"):
            if not run(overlay, "registry.test/team", wrong).returncode or images.read_text() != text:
                yield f"pin {overlay}: takes {wrong}"


def pinned(image, digest):
    image = dict(image)
    if image["name"].startswith("votestream/"):
        image["newName"] = "registry.test/team/" + image["name"].removeprefix("votestream/")
    if image["name"] in ("votestream/producer", "postgres"):
        image["digest"] = digest
    return image


def votectl(folder):
    objects = yaml.safe_load_all((folder / "base/migrate/job.yaml").read_text())
    job = next(obj for obj in objects if obj["kind"] == "Job")
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    words = ["poll", "create", "--title=Cats & \"dogs\""]
    for fails in ("no", "yes"):
        env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "FOLDER": str(folder), "FAILS": fails}
        done = subprocess.run([folder / "votectl", *words], env=env, capture_output=True, text=True)
        if done.stdout != "what votectl said\n" or bool(done.returncode) != (fails == "yes"):
            yield f"votectl: ends with {done.returncode}: {done.stdout}{done.stderr}"
    made = json.loads((folder / "created.json").read_text())["spec"]["template"]
    original = job["spec"]["template"]
    [container] = made["spec"]["containers"]
    migrate = original["spec"]["initContainers"][0]
    if container != {**migrate, "name": "votectl", "args": words} or made["spec"]["initContainers"]:
        yield f"votectl: its container is {container}"
    if made["spec"]["volumes"] != original["spec"]["volumes"] or made["spec"]["restartPolicy"] != "Never":
        yield "votectl: its pod is not the migrate Job's"
    if made["metadata"]["labels"] != original["metadata"]["labels"]:
        yield f"votectl: its labels are {made['metadata']['labels']}, and open other edges"
    calls = (folder / "calls").read_text().splitlines()
    if not all(call.startswith("--namespace votestream ") for call in calls):
        yield f"votectl: asks elsewhere: {calls}"
    if sum("delete job votectl-" in call for call in calls) != 2:
        yield f"votectl: leaves its Job behind: {calls}"
