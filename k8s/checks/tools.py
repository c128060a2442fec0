"""Checks the commands of the READMEs: they are shell, their files exist, and they make everything that the manifests need."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

from . import clouds, render
from .deployment import HERE, Deployment, load

ROOT = HERE.parent
READMES = [HERE / "README.md", *sorted((HERE / "overlays").glob("*/README.md"))]
# Operators whose kinds are in checks/crds/, by the words of the commands that install them.
OPERATORS = {
    "helm upgrade --install keda ": "kedacore",
    "helm upgrade --install cert-manager ": "cert-manager",
    "helm upgrade --install external-secrets ": "external-secrets",
    "/cloudnative-pg/": "cloudnative-pg",
}
# Files of this project that a command may name.
OURS = re.compile(r"(?<![\w./:-])((?:k8s|schema|grafana|containers)/[\w./-]+)")


def check():
    with tempfile.TemporaryDirectory(prefix="votestream-tools-") as folder:
        k8s = render.copy(folder)
        return [*pinning(k8s), *store(k8s), *readmes()]


def pinning(k8s):
    """Checks that an overlay is refused while `pin` has named only some images, and accepted when it has named all."""
    for overlay in clouds.CLOUDS:
        for names, wanted in ((["producer"], "refused"), (["consumer", "dashboard", "votectl", "postgres"], "taken")):
            pairs = [f"{name}=sha256:{'5' * 64}" for name in names]
            subprocess.run([k8s / "pin", overlay, "registry.test/team", *pairs], check=True, capture_output=True)
            deployment = Deployment(overlay, load(render.kustomize(k8s / "overlays" / overlay)))
            found = "refused" if list(clouds.pins(deployment)) else "taken"
            if found != wanted:
                yield f"k8s/pin {overlay}: after {' '.join(names)} the overlay is {found}"


def store(k8s):
    """Checks that the content for a secret store has exactly the entries and properties that the manifests read."""
    component = k8s / "components/external-secrets"
    asked = {}
    for secret in load((component / "secrets.yaml").read_text()):
        for entry in secret["spec"]["data"]:
            asked.setdefault(entry["remoteRef"]["key"], set()).add(entry["remoteRef"]["property"])
    for account in ({}, {"REDIS_PASSWORD": "a+b/c="}, {"REDIS_PASSWORD": ""}):
        folder = k8s / f"secrets-{len(account.get('REDIS_PASSWORD', 'ours'))}"
        authority = HERE / "checks/authority.pem"
        env = {
            **os.environ, **account, "REDIS": "redis.test:1", "REDIS_CA": authority, "POSTGRES": "postgres.test",
            "POSTGRES_CA": authority, "PGUSER": "admin", "PGPASSWORD": "secret", "SSLMODE": "verify-ca",
        }
        subprocess.run([component / "make", folder], env=env, check=True, capture_output=True)
        made = {f"votestream-{p.stem}": json.loads(p.read_text()) for p in (folder / "store").iterdir()}
        for name in sorted(asked.keys() | made.keys()):
            if asked.get(name) != set(made.get(name, ())):
                yield f"external-secrets/make: {name} holds {sorted(made.get(name, ()))}"
        login = {None: r"producer:[0-9a-f]{64}@", "": "", "a+b/c=": r":a%2Bb%2Fc%3D@"}[account.get("REDIS_PASSWORD")]
        url = made["votestream-producer"]["redis-url"]
        if not re.fullmatch(f"rediss://{login}redis.test:1", url):
            yield f"external-secrets/make: the producer's Redis is {url}"
        url = made["votestream-consumer"]["database-url"]
        if not url.endswith("@postgres.test:5432/votestream?sslmode=verify-ca"):
            yield f"external-secrets/make: the consumer's Postgres is {url}"


def readmes(paths=READMES):
    """Checks that commands are shell, name existing files, and install the checked releases of the operators."""
    table = (HERE / "checks/crds/README.md").read_text()
    releases = dict(re.findall(r"^\| `[^|]+ \| ([\w-]+)/[^|]+\| ([\d.]+) \|$", table, re.MULTILINE))
    for path in paths:
        name = f"{path.parent.name}/{path.name}"
        found = commands(path.read_text())
        # k8s/README.md also contains a diagram.
        if path.parent != HERE:
            shell = subprocess.run(["bash", "-n"], input="\n".join(found), capture_output=True, text=True)
            if shell.stderr:
                yield f"{name}: not shell: {shell.stderr.strip()}"
        for command in found:
            for file in OURS.findall(command):
                # Skip files that an earlier command makes.
                if "/files/" not in file and "OVERLAY" not in file and not (ROOT / file).exists():
                    yield f"{name}: there is no {file}"
            yield from of_operator(name, command, releases)


def of_operator(name, command, releases):
    version = re.search(r"--version v?(\S+)|/cnpg-([\d.]+)\.yaml", command)
    if command.startswith("helm ") and not version:
        yield f"{name}: of no version: {command}"
    for words, project in OPERATORS.items():
        if words in command and version and releases[project] not in version.groups():
            yield f"{name}: not {releases[project]}, whose kinds were checked: {command}"


def commands(text):
    """Returns the commands of a README; a command of several lines is one."""
    block = [line[4:] for line in text.splitlines() if line.startswith("    ") and not line.lstrip().startswith("#")]
    return "\n".join(block).replace("\\\n", "").splitlines()


def mistakes():
    """Plants mistakes in a README; returns those that went unnoticed, and the number of mistakes."""
    planted = {
        "k8s/overlays/moon": "there is no k8s/overlays/moon",
        "helm upgrade --install keda keda --version 1.0.0": "not 2.20.2",
        "helm upgrade --install keda keda": "of no version",
        "for part in producer; do echo $part": "not shell",
        "kubectl apply -f https://example.com/cloudnative-pg/cnpg-1.2.3.yaml": "not 1.30.0",
    }
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "README.md"
        for line, words in planted.items():
            path.write_text(f"    {line}\n")
            if not any(words in problem for problem in readmes([path])):
                problems.append(f"a planted mistake went unnoticed by tools: {line}")
    return problems, len(planted)
