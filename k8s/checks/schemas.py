"""Checks that Kubernetes accepts every object, without unknown keys, in the oldest and the newest release.

Kubernetes' own kinds are checked with the strict schemas of kubernetes-validate. Operators' kinds are checked with the
schemas in crds/, which come from each project's release; see crds/README.md.
"""

import functools
import json
import pathlib

import jsonschema
import kubernetes_validate
import referencing

from .deployment import title

OLDEST, NEWEST = "1.32", "1.37"
BUILT_IN = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
CRDS = pathlib.Path(__file__).parent / "crds"


@functools.lru_cache(None)
def definitions(version):
    path = BUILT_IN / f"v{version}.0-local-strict/_definitions.json"
    return referencing.Resource.from_contents(json.loads(path.read_text()))


@functools.lru_cache(None)
def built_in(version, group, kind):
    path = BUILT_IN / f"v{version}.0-local-strict/{kind.lower()}-{group}.json"
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    registry = referencing.Resource.from_contents(schema) @ referencing.Registry()
    registry = definitions(version) @ registry
    return jsonschema.Draft202012Validator(schema, registry=registry)


@functools.lru_cache(None)
def custom(api_version, kind):
    path = CRDS / f"{kind.lower()}-{api_version.replace('/', '-')}.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text())) if path.exists() else None


def validators(obj):
    api_version, kind = obj["apiVersion"], obj["kind"]
    found = custom(api_version, kind)
    if found:
        return [("its CRD", found)]
    # apps/v1 -> apps-v1, networking.k8s.io/v1 -> networking-v1, v1 -> v1
    group, _, version = api_version.rpartition("/")
    group = "-".join(filter(None, [group.split(".")[0], version]))
    return [(f"Kubernetes {v}", built_in(v, group, kind)) for v in (OLDEST, NEWEST)]


_seen = {}


def check(deployment):
    problems = []
    for obj in deployment.objects:
        # Most objects are the same in most deployments.
        text = json.dumps(obj, sort_keys=True)
        if text not in _seen:
            _seen[text] = list(check_object(obj))
        problems += _seen[text]
    return problems


def check_object(obj):
    for what, validator in validators(obj):
        if validator is None:
            yield f"{title(obj)}: {what} has no {obj['apiVersion']} {obj['kind']}"
            continue
        for error in validator.iter_errors(obj):
            path = ".".join(str(part) for part in error.absolute_path)
            yield f"{title(obj)}: {what}: {path}: {error.message[:300]}"
