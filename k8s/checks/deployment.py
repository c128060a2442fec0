"""One deployment: the objects that kustomize renders of an overlay or of a set of components."""

import base64
import dataclasses
import functools
import pathlib

import yaml

HERE = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE = "votestream"


@dataclasses.dataclass
class Deployment:
    name: str
    objects: list
    components: frozenset = frozenset()

    def of(self, *kinds):
        return [o for o in self.objects if o["kind"] in kinds]

    def get(self, kind, name):
        return next((o for o in self.of(kind) if o["metadata"]["name"] == name), None)

    @functools.cached_property
    def workloads(self):
        """Returns the objects that have pods, as pairs of object and pod template."""
        return [w for w in map(pod_template, self.objects) if w]


def title(obj):
    return f"{obj['kind']}/{obj['metadata']['name']}"


def pod_template(obj):
    kind, spec = obj["kind"], obj.get("spec", {})
    if kind in ("Deployment", "StatefulSet", "Job"):
        return obj, spec["template"]
    if kind == "CronJob":
        return obj, spec["jobTemplate"]["spec"]["template"]
    if kind == "Cluster":
        # CloudNativePG makes the pods; these are the labels that it gives them.
        labels = spec.get("inheritedMetadata", {}).get("labels", {})
        return obj, {"metadata": {"labels": labels}, "spec": {"containers": []}}
    return None


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def labels(template):
    return template.get("metadata", {}).get("labels", {})


def selects(selector, found):
    """Returns whether a LabelSelector selects these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if found.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        key, operator, values = rule["key"], rule["operator"], rule.get("values", [])
        fits = {
            "In": found.get(key) in values,
            "NotIn": found.get(key) not in values,
            "Exists": key in found,
            "DoesNotExist": key not in found,
        }[operator]
        if not fits:
            return False
    return True


def environment(deployment, container):
    """Returns the container's variables with their values, and the names of those whose values only a cluster knows."""
    known, unknown = {}, set()
    for source in container.get("envFrom", []):
        config = deployment.get("ConfigMap", source["configMapRef"]["name"]) or {}
        known.update(config.get("data", {}))
    for entry in container.get("env", []):
        if "value" in entry:
            known[entry["name"]] = entry["value"]
        else:
            unknown.add(entry["name"])
    return known, unknown


def secret_keys(deployment):
    """Returns the keys of every Secret that is made here, or by an operator on request; None means any key."""
    found = {}
    for obj in deployment.objects:
        name, spec = obj["metadata"]["name"], obj.get("spec", {})
        if obj["kind"] == "Secret":
            found[name] = set(obj.get("data", {})) | set(obj.get("stringData", {}))
        elif obj["kind"] == "ExternalSecret":
            found[spec["target"]["name"]] = {d["secretKey"] for d in spec["data"]}
        elif obj["kind"] == "Certificate":
            found[spec["secretName"]] = {"tls.crt", "tls.key", "ca.crt"}
        elif obj["kind"] == "Cluster":
            found[f"{name}-ca"] = {"ca.crt"}
    return found


def secret_value(deployment, name, key):
    secret = deployment.get("Secret", name)
    data = secret and secret.get("data", {}).get(key)
    return None if data is None else base64.b64decode(data).decode()


def load(text):
    # Use the C parser: the Python parser takes minutes for all combinations.
    return [o for o in yaml.load_all(text, Loader=yaml.CSafeLoader) if o]
