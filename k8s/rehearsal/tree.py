"""Makes a copy of the manifests with secrets of its own, and the overlay that is rehearsed.

The copy leaves out the operator's own secrets. The rehearsed overlay is the requested one with three additions: the load
tester's edges, autoscalers that stay at their minimum (so that a further replica does not hide a failure), and the component
that `--component` names.
"""

import os
import pathlib
import shutil
import subprocess

K8S = pathlib.Path(__file__).resolve().parent.parent

KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: votestream
resources:
  - ../{overlay}
components:
{components}
images:
  - {{name: votestream/loadtest, newName: {load_name}, {load_version}}}
patches:
  # The load's pods are made from its template.
  - target: {{kind: Job, name: loadtest}}
    patch: |
      - {{op: add, path: /spec/suspend, value: true}}
  - target: {{kind: HorizontalPodAutoscaler}}
    patch: |
      - {{op: copy, from: /spec/minReplicas, path: /spec/maxReplicas}}
  - target: {{kind: ScaledObject}}
    patch: |
      - {{op: copy, from: /spec/minReplicaCount, path: /spec/maxReplicaCount}}
"""


def copy(folder):
    """Copies everything that kustomize reads, without secrets; returns the copy's k8s folder."""
    root = pathlib.Path(folder)
    ignore = shutil.ignore_patterns(".venv", "files", "__pycache__")
    shutil.copytree(K8S, root / "k8s", ignore=ignore)
    for part in ("schema/access", "grafana"):
        if (K8S.parent / part).is_dir():
            shutil.copytree(K8S.parent / part, root / part)
    return root / "k8s"


def dev_secrets(k8s, overlay, *options):
    """Makes missing secrets, with servers' addresses for the overlay's kind of TLS."""
    given = (k8s / "overlays" / overlay / "kustomization.yaml").read_text().split()
    listed = {word.rpartition("components/")[2] for word in given if "components/" in word}
    # CloudNativePG always speaks TLS.
    speaks_tls = {"redis": listed & {"tls", "tls-redis"}, "postgres": listed & {"tls", "postgres-cnpg"}}
    tls = " ".join(server for server, does in speaks_tls.items() if does)
    make = k8s / "components/dev-secrets/make"
    subprocess.run([make, *options], check=True, capture_output=True, env={**os.environ, "TLS": tls})


class Tree:
    """The overlay that a rehearsal applies, in the copy."""

    def __init__(self, k8s, settings, load_image):
        self.k8s, self.given = k8s, settings.overlay
        self.overlay = self.k8s / "overlays/rehearsal"
        self.secrets = self.k8s / "components/dev-secrets/files"
        self.make_secrets()
        self.overlay.mkdir()
        given = (self.k8s / "overlays" / self.given / "kustomization.yaml").read_text()
        listed = [] if "components/loadtest" in given else ["../../components/loadtest"]
        for number, source in enumerate(settings.component):
            shutil.copytree(source, self.overlay / f"component-{number}")
            listed.append(f"component-{number}")
        name, version = image(load_image)
        (self.overlay / "kustomization.yaml").write_text(KUSTOMIZATION.format(
            overlay=self.given, components="\n".join(f"  - {path}" for path in listed) or "  []",
            load_name=name, load_version=version))

    def make_secrets(self, *options):
        dev_secrets(self.k8s, self.given, *options)


def image(reference):
    """Splits an image into name and version, as kustomize writes them."""
    if "@" in reference:
        name, digest = reference.split("@", 1)
        return name, f"digest: {digest}"
    # A colon before the last slash belongs to a port.
    head, slash, tail = reference.rpartition("/")
    name, _, tag = tail.partition(":")
    return head + slash + name, f'newTag: "{tag or "latest"}"'
