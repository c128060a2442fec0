"""Renders every overlay and every supported set of components, in a copy with made-up secrets."""

import concurrent.futures
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

from rehearsal import tree

from .deployment import HERE, Deployment, load

# Servers inside the cluster use the secrets made here; servers outside, those of a store.
SERVERS = [
    ("dev-secrets", "redis", "postgres"),
    ("dev-secrets-tls", "redis", "postgres", "tls"),
    ("dev-secrets", "redis", "postgres-cnpg"),
    ("dev-secrets-tls", "redis", "postgres-cnpg", "tls-redis"),
    ("dev-secrets", "redis-cluster", "postgres"),
    ("dev-secrets", "redis-cluster", "postgres-cnpg"),
    ("external-secrets", "external-redis", "external-postgres"),
    ("external-secrets", "external-redis", "external-redis-cluster", "external-postgres"),
]
EDGES = [(), ("gateway",), ("ingress",)]
OPTIONS = ["keda", "monitoring", "backup", "loadtest"]
# These come before the components that change their objects.
FIRST = ["keda", "backup", "host"]


def combinations():
    options = [some for number in range(len(OPTIONS) + 1) for some in itertools.combinations(OPTIONS, number)]
    for servers, edge, option in itertools.product(SERVERS, EDGES, options):
        # Nobody would read the metrics of a canary without monitoring. The host's service is tried beside it.
        canary = {"canary", "host"} if "monitoring" in option else set()
        chosen = {*servers, *edge, *option, *canary}
        yield sorted(chosen, key=lambda c: (c not in FIRST, c.startswith("tls"), c))


def beside_overlays(deployments):
    """Returns, for every component that no overlay uses, the largest combination with it."""
    in_overlays = frozenset().union(*(d.components for d in deployments if "+" not in d.name))
    chosen = {}
    for path in sorted((HERE / "components").iterdir()):
        if path.name not in in_overlays:
            found = max((d for d in deployments if path.name in d.components), key=lambda d: len(d.components))
            chosen[found.name] = found
    return list(chosen.values())


def copy(folder):
    """Makes a copy of everything that kustomize reads, with secrets in it."""
    k8s = tree.copy(folder)
    components = k8s / "components"
    # The same, with the servers' addresses for TLS.
    shutil.copytree(components / "dev-secrets", components / "dev-secrets-tls")
    for name, tls in (("dev-secrets", ""), ("dev-secrets-tls", "redis postgres")):
        subprocess.run([components / name / "make"], check=True, env={**os.environ, "TLS": tls})
    return k8s


# kubectl lives for half a second; a third of that goes into collecting garbage.
FAST = {**os.environ, "GOGC": "off"}


def kustomize(folder):
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, env=FAST)
    if done.returncode:
        raise RuntimeError(f"{folder.name}: {done.stderr.strip()}")
    if done.stderr.strip():
        raise RuntimeError(f"{folder.name}: kustomize warns: {done.stderr.strip()}")
    return done.stdout


def write_combination(k8s, components):
    folder = k8s / "combinations" / "+".join(components)
    folder.mkdir(parents=True)
    lines = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "votestream",
        "resources": ["../../base"],
        "components": [f"../../components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(lines))
    return folder


def components_of(folder):
    """Returns the names of the components of an overlay."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text()).get("components", [])
    return frozenset(pathlib.PurePath(path).name for path in listed)


def all_deployments():
    """Renders everything; the overlays come first."""
    with tempfile.TemporaryDirectory(prefix="votestream-k8s-") as temporary:
        k8s = copy(temporary)
        folders = sorted((k8s / "overlays").iterdir())
        folders += [write_combination(k8s, c) for c in combinations()]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            texts = list(pool.map(kustomize, folders))
        return [
            Deployment(folder.name, load(text), components_of(folder))
            for folder, text in zip(folders, texts)
        ]
