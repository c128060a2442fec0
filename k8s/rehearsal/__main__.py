"""Runs the whole rehearsal, from the first query of the cluster to the exit code."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from .clock import say
from .definitions import Definitions, dry_run
from .kubectl import Failed, Kubectl, run
from .result import EXIT_USAGE, Row, exit_code, report, table
from .settings import parse
from .stage import SERVICES, Stage
from .steps import ALWAYS, chosen
from .tree import Tree, copy, dev_secrets

NAMESPACE = "votestream"


class Unusable(Exception):
    """The cluster cannot be used or reached."""


def main(arguments):
    settings = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="votestream-rehearsal-") as folder:
        try:
            kubectl = reach(settings, pathlib.Path(folder))
            facts = look(kubectl)
            make_room(settings, kubectl)
            rows = rehearse(settings, kubectl, pathlib.Path(folder))
        except (Unusable, Failed, subprocess.TimeoutExpired) as error:
            print(f"k8s/rehearse: {error}", file=sys.stderr)
            return EXIT_USAGE
    print(f"{settings.overlay} on Kubernetes {facts['kubernetes']}, {facts['nodes']} nodes, {facts['cores']} cores, "
          f"{facts['date']}, {settings.rate:g} voters a second\n\n{table(rows)}")
    if settings.json:
        told = report(settings.overlay, {**facts, "rate": settings.rate}, rows)
        settings.json.write_text(json.dumps(told, indent=1) + "\n")
    return exit_code(rows)


def reach(settings, folder):
    """Returns a kubectl for the cluster. The scripts of k8s/ have no option for a context, so KUBECONFIG selects it."""
    if settings.context:
        chosen_config = run("kubectl", "config", "view", "--flatten", "--minify", "--context", settings.context).stdout
        config = folder / "kubeconfig"
        config.touch(mode=0o600)
        config.write_text(chosen_config)
        os.environ["KUBECONFIG"] = str(config)
    os.environ["NAMESPACE"] = NAMESPACE
    return Kubectl(NAMESPACE)


def look(kubectl):
    """Returns a description of the cluster."""
    try:
        version = json.loads(kubectl.ask("version", "--output=json"))["serverVersion"]["gitVersion"]
        nodes = kubectl.get("nodes")
    except (Failed, KeyError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"the cluster does not answer: {error}") from error
    cores = sum(int(re.sub(r"\D", "", node["status"]["capacity"]["cpu"])) for node in nodes)
    date = datetime.date.today().isoformat()
    return {"kubernetes": version, "nodes": len(nodes), "cores": cores, "date": date}


def make_room(settings, kubectl):
    """Refuses a namespace that exists already, which may hold somebody's deployment; --replace deletes it."""
    if kubectl.find("namespace", NAMESPACE) is None:
        return
    if not settings.replace:
        raise Unusable(f"the namespace {NAMESPACE} is there already; --replace deletes it first, with all its votes")
    say(f"deleting the namespace {NAMESPACE} that is there")
    kubectl.do("delete", "namespace", NAMESPACE, "--wait=true", timeout=600)


def rehearse(settings, kubectl, folder):
    k8s = copy(folder)
    rows = []
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(clear, settings, kubectl, k8s)
        # Use the namespace's labels, so that the dry run warns of findings of Pod Security.
        kubectl.do("apply", "--filename", k8s / "base/namespace.yaml")
        if settings.dry_run_all:
            with Definitions(kubectl):
                for overlay in sorted((k8s / "overlays").iterdir()):
                    rows.append(dry(kubectl, k8s, overlay.name))
        else:
            rows.append(dry(kubectl, k8s, settings.overlay))
        if any(row.problems for row in rows) or settings.dry_run:
            return rows
        tree = Tree(k8s, settings, load_image(settings, k8s))
        stage = Stage(settings, kubectl, tree)
        cleanup.callback(stage.drop_load)
        for step in chosen(settings.steps, settings.short):
            why = step.hindrance(stage)
            row = Row(step.name, skipped=why) if why else stage.play(step)
            rows.append(row)
            if row.problems:
                tell_state(kubectl, row.seconds)
                if step.name in ALWAYS:
                    break
        for text in stage.samples():
            say(f"a voter met: {text}")
    return rows


def dry(kubectl, k8s, overlay):
    say(f"server-side dry run of {overlay} …")
    dev_secrets(k8s, overlay)
    problems = dry_run(kubectl, k8s / "overlays" / overlay)
    return Row(f"dry run: {overlay}", voted=False, notes=["accepted by the API server"], problems=problems)


def load_image(settings, k8s):
    """Returns the load tester's image: beside the producer's, unless a setting names it."""
    if settings.load_image:
        return settings.load_image
    text = run("kubectl", "kustomize", k8s / "overlays" / settings.overlay).stdout
    producer = re.search(r"image: (\S*votestream/producer\S*)", text)[1]
    if "@" in producer:
        raise Unusable(f"{producer} is pinned by its digest: say which --load-image goes with it")
    return producer.replace("votestream/producer", "votestream/loadtest")


def tell_state(kubectl, seconds):
    """Prints details for the reader of a failed run's log."""
    with contextlib.suppress(Failed, subprocess.TimeoutExpired):
        print(kubectl.ask("get", "pods", "--output", "wide"), file=sys.stderr)
        events = kubectl.ask("get", "events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
        print("\n".join(events.splitlines()[-10:]), file=sys.stderr)
        for name in SERVICES:
            said = kubectl.ask("logs", "--selector", f"app.kubernetes.io/name={name}", "--prefix", "--tail=300",
                               f"--since={int(seconds) + 30}s").splitlines()
            print("\n".join([line for line in said if '"level":"INFO"' not in line][-10:]), file=sys.stderr)


def clear(settings, kubectl, k8s):
    """Deletes everything that the rehearsal made, including objects of the whole cluster such as priorities."""
    if settings.keep:
        say(f"kept: kubectl --namespace {NAMESPACE} get pods")
        return
    say("cleaning up")
    overlay = k8s / "overlays/rehearsal"
    with contextlib.suppress(Failed, subprocess.TimeoutExpired):
        if overlay.exists():
            kubectl.ask("delete", "--kustomize", overlay, "--ignore-not-found", "--wait=true", timeout=300)
    try:
        kubectl.ask("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", timeout=300)
    except (Failed, subprocess.TimeoutExpired) as error:
        say(f"the namespace {NAMESPACE} is not gone yet: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
