"""Makes the schemas in this folder from the operators' own CRDs: `vendor.py CRD.yaml KIND VERSION` to stdout.

The schemas refuse unknown keys, which the API server would remove silently. Descriptions are left out. A large branch that
nothing here uses becomes `false`, so its key is known and every content is refused; to use it, run this again with
KEEP=its.path,another.path.
"""

import json
import os
import sys

import yaml

LARGE = 1200
KEEP = [tuple(path.split(".")) for path in os.environ.get("KEEP", "").split(",") if path]
META = {"type": "object", "properties": {
    "name": {"type": "string"}, "namespace": {"type": "string"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
}, "additionalProperties": False}


def strict(node, structural=True):
    """Returns the JSON schema of an OpenAPI v3 node; `structural` is false in conditions, which declare no keys."""
    if not isinstance(node, dict):
        return node
    dropped = ("description", "format", "default", "example", "nullable")
    out = {k: v for k, v in node.items() if k not in dropped and not k.startswith("x-kubernetes-")}
    if node.get("x-kubernetes-int-or-string"):
        out = {"type": ["integer", "string"]}
    if "properties" in out:
        out["properties"] = {k: strict(v, structural) for k, v in node["properties"].items()}
        open_ = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
        if structural and not open_:
            out["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = strict(out[key], structural)
    for key in ("allOf", "anyOf", "oneOf"):
        if key in out:
            out[key] = [strict(part, False) for part in out[key]]
    if "not" in out:
        out["not"] = strict(out["not"], False)
    return out


def trim(node, path=()):
    if not isinstance(node, dict):
        return node
    for name, child in (node.get("properties") or {}).items():
        here = (*path, name)
        kept = any(here == keep[: len(here)] or keep == here[: len(keep)] for keep in KEEP)
        if not kept and len(json.dumps(child)) > LARGE:
            node["properties"][name] = False
        else:
            trim(child, here)
    if isinstance(node.get("items"), dict):
        trim(node["items"], path)
    return node


def main(source, kind, version):
    crd = yaml.safe_load(open(source))
    assert crd["spec"]["names"]["kind"] == kind
    chosen = next(v for v in crd["spec"]["versions"] if v["name"] == version)
    schema = strict(chosen["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = META
    schema["properties"].pop("status", None)
    group = crd["spec"]["group"]
    schema["properties"]["apiVersion"] = {"const": f"{group}/{version}"}
    schema["properties"]["kind"] = {"const": kind}
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    spec = schema["properties"]["spec"]
    schema["properties"]["spec"] = trim(spec)
    json.dump(schema, sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:4])
