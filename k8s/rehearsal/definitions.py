"""Has the API server check the overlays, by a dry run on the server that refuses unknown keys.

If the cluster does not have the operators' kinds, they are defined for the duration of the check, from the schemas in
checks/crds. These contain keys and types, but neither an operator's own conditions nor its admission webhooks.
"""

import json
import re

from .clock import eventually, say
from .kubectl import Failed
from .tree import K8S

CRDS = K8S / "checks/crds"
# Keywords that both kinds of schema have. k8s/check covers conditions (oneOf and the like).
KEPT = ("type", "enum", "pattern", "required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}


def structural(schema):
    """Converts a schema of k8s/check to the form of a CustomResourceDefinition."""
    if not isinstance(schema, dict):
        return dict(ANYTHING)
    if isinstance(schema.get("type"), list):
        return {"x-kubernetes-int-or-string": True}
    made = {key: schema[key] for key in KEPT if key in schema}
    if "properties" in schema:
        made["type"] = "object"
        made["properties"] = {name: structural(part) for name, part in schema["properties"].items()}
        if schema.get("additionalProperties") is not False:
            made.update(ANYTHING)
    elif isinstance(schema.get("additionalProperties"), dict):
        made.update(type="object", additionalProperties=structural(schema["additionalProperties"]))
    elif "items" in schema:
        made.update(type="array", items=structural(schema["items"]))
    elif made.get("type") in (None, "object"):
        made.update(ANYTHING)
    return made


def definition(schema):
    """Returns the CustomResourceDefinition of a kind."""
    kind = schema["properties"]["kind"]["const"]
    group, version = schema["properties"]["apiVersion"]["const"].split("/")
    plural = re.sub("([^aeiou])ys$", r"\1ies", kind.lower() + "s")
    spec = structural(schema["properties"]["spec"])
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        # Kubernetes requires this annotation for API groups of its own.
        "metadata": {"name": f"{plural}.{group}", "annotations": {
            "api-approved.kubernetes.io": "unapproved, for a dry run"}},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{
                "name": version, "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    }


class Definitions:
    """Defines the operators' kinds until the block ends."""

    def __init__(self, kubectl):
        self.kubectl, self.made = kubectl, []

    def __enter__(self):
        there = {(d["spec"]["group"], d["spec"]["names"]["kind"]) for d in self.kubectl.get("crd")}
        for file in sorted(CRDS.glob("*.json")):
            made = definition(json.loads(file.read_text()))
            if (made["spec"]["group"], made["spec"]["names"]["kind"]) not in there:
                self.kubectl.create(made)
                self.made.append(made["metadata"]["name"])
        for name in self.made:
            eventually(f"{name} is served", lambda name=name: self._is_served(name), 60)
        if self.made:
            say(f"defined for the dry run: {', '.join(self.made)}")
        return self

    def _is_served(self, name):
        conditions = self.kubectl.get("crd", name).get("status", {}).get("conditions", [])
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def __exit__(self, *_):
        if self.made:
            self.kubectl.do("delete", "crd", *self.made, "--wait=true", timeout=120)


def dry_run(kubectl, folder):
    """Returns the API server's findings about an overlay, including warnings such as those of Pod Security."""
    try:
        done = kubectl.ask_all("apply", "--server-side", "--dry-run=server", "--validate=strict",
                               "--field-manager=rehearsal", "--kustomize", folder, timeout=180)
    except Failed as failed:
        return [str(failed)]
    return [line for line in done.stderr.splitlines() if line.startswith("Warning:")]
