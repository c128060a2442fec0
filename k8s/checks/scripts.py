"""Tests `pin` and `votectl` with a fake kubectl that only records its arguments."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

from .deployment import HERE

# A fake cluster, in which a pod is pending, runs and ends.
KUBECTL = """#!/usr/bin/env python3
import json, os, pathlib, sys, time
folder, words = pathlib.Path(os.environ["FOLDER"]), sys.argv[1:]
with open(folder / "calls", "a") as calls:
    print(*words, file=calls)
end = os.environ["ENDS"]
if words[2:4] == ["get", "job"]:
    print((folder / "job.json").read_text())
if words[2:4] == ["get", "pod"]:
    print("ADDED/Pending//ImagePullBackOff no such image", flush=True)
    if end != "never":
        print("MODIFIED/Running// ", flush=True)
        reads = '"stdin": true' in (folder / "created.json").read_text()
        deadline = time.monotonic() + 5
        while reads and not (folder / "input").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if not end.startswith("log"):
            print(f"MODIFIED/{end}", flush=True)
    time.sleep(60)
if "create" in words:
    (folder / "created.json").write_text(sys.stdin.read())
if "attach" in words:
    (folder / "input").write_text(sys.stdin.read())
if "logs" in words:
    print("votectl: waiting for redis")
    print("what votectl said", flush=True)
    if end.startswith("log"):
        # The two streams may overtake each other.
        print("votectl: exit code", end.removeprefix("log "), flush=True)
        print("votectl: a last message", flush=True)
        print("votectl: exit code", end.removeprefix("log "), flush=True)
        time.sleep(60)
"""


def check():
    with tempfile.TemporaryDirectory(prefix="votestream-k8s-") as temporary:
        folder = pathlib.Path(temporary) / "k8s"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns(".venv", "files", "__pycache__"))
        return list(pin(folder)) + list(votectl(folder))


def pin(folder):
    """Tests in a copy of k8s/, which it changes."""
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
    said, message = "what votectl said\n", "votectl: waiting for redis\n"
    for ends, given, expected in (
        ("Succeeded/0/ ", None, (0, said, message)),
        ("Failed/3/ ", "a poll", (3, said, message)),
        # votectl's last lines arrive before anybody knows that the pod has ended.
        ("log 3", None, (3, said, message + "votectl: a last message\n")),
        ("Failed// evicted", None, (125, said, message + "k8s/votectl: the pod ended without an exit code: Failed evicted\n")),
        ("never", None, (125, "", "k8s/votectl: the pod has not started within 1 s: ImagePullBackOff no such image\n")),
    ):
        for name in ("calls", "input"):
            (folder / name).unlink(missing_ok=True)
        path = f"{folder}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "FOLDER": str(folder), "ENDS": ends, "START_S": "1" if ends == "never" else "60"}
        given_as = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        done = subprocess.run([folder / "votectl", *words], env=env, capture_output=True, text=True, **given_as)
        found = (done.returncode, done.stdout, done.stderr)
        if found != expected:
            yield f"votectl: {ends}: {found} instead of {expected}"
        passed = (folder / "input").read_text() if (folder / "input").exists() else None
        if passed != given:
            yield f"votectl: {given!r} is piped in, and votectl reads {passed!r}"
        made = json.loads((folder / "created.json").read_text())
        yield from votectl_pod(made, job["spec"]["template"], words, given is not None)
        calls = (folder / "calls").read_text().splitlines()
        if not all(call.startswith("--namespace votestream ") for call in calls):
            yield f"votectl: asks elsewhere: {calls}"
        if f"delete pod {made['metadata']['name']}" not in calls[-1]:
            yield f"votectl: leaves its pod behind: {calls}"


def votectl_pod(made, original, words, reads):
    """Checks that the pod equals the migrate Job's pod, except for its command."""
    migrate = original["spec"]["initContainers"][0]
    env = [entry for entry in migrate["env"] if entry["name"] != "WAIT_S"]
    env += [{"name": "WAIT_S", "value": "60"}, {"name": "SHOW_EXIT_CODE", "value": "true"}]
    stdin = {"stdin": True, "stdinOnce": True} if reads else {}
    container = {**migrate, "name": "votectl", "args": words, "env": env, **stdin}
    if made["spec"]["containers"] != [container] or made["spec"]["initContainers"]:
        yield f"votectl: its containers are {made['spec']['containers']}"
    if made["spec"]["volumes"] != original["spec"]["volumes"] or made["spec"]["restartPolicy"] != "Never":
        yield "votectl: its pod is not the migrate Job's"
    if made["metadata"]["labels"] != original["metadata"]["labels"]:
        yield f"votectl: its labels are {made['metadata']['labels']}, and open other edges"
