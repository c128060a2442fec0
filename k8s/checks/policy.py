"""Rules of our own, about what a schema cannot say."""

import re

from .deployment import containers, environment, labels, selects, title

CLOUDS = ("aks", "eks", "gke")
# What each pod must be able to finish after its grace periods.
MARGIN_S = 5


def check(deployment):
    rules = [autoscalers, grace, pods, updates, images, quota, disruption, secrets, namespaces]
    return [problem for rule in rules for problem in rule(deployment)]


def autoscalers(deployment):
    """One for each Deployment, which then names no number of its own."""
    for obj in deployment.of("Deployment"):
        name = obj["metadata"]["name"]
        scalers = [
            s for s in deployment.of("HorizontalPodAutoscaler", "ScaledObject")
            if s["spec"]["scaleTargetRef"]["name"] == name
        ]
        if len(scalers) != 1:
            yield f"{title(obj)}: {len(scalers)} autoscalers instead of one"
        if "replicas" in obj["spec"]:
            yield f"{title(obj)}: `replicas` beside an autoscaler: each apply would scale it"
        for scaler in scalers:
            spec = scaler["spec"]
            fewest = spec.get("minReplicas", spec.get("minReplicaCount"))
            if fewest < 2:
                yield f"{title(scaler)}: fewer than two replicas do not survive a node"
            behaviour = spec.get("behavior") or spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
            if not {"scaleUp", "scaleDown"} <= set(behaviour or {}):
                yield f"{title(scaler)}: how fast it scales, up and down, is not said"


def grace(deployment):
    for obj, template in deployment.workloads:
        if obj["kind"] not in ("Deployment", "StatefulSet"):
            continue
        period = template["spec"].get("terminationGracePeriodSeconds", 30)
        for container in template["spec"]["containers"]:
            sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            known, _ = environment(deployment, container)
            needed = sleep + int(known.get("SHUTDOWN_GRACE_MS", 0)) / 1000 + MARGIN_S
            if period < needed:
                yield f"{title(obj)}: it is killed after {period} s and needs {needed:g} s to stop"
            if served(deployment, template) and obj["kind"] == "Deployment" and sleep < 5:
                yield f"{title(obj)}: a Service sends it clients, and preStop does not wait for it to stop"


def served(deployment, template):
    services = [s["spec"]["selector"] for s in deployment.of("Service")]
    return any(selects({"matchLabels": s}, labels(template)) for s in services)


def pods(deployment):
    for obj, template in deployment.workloads:
        if obj["kind"] == "Cluster":
            continue
        spec = template["spec"]
        security = spec.get("securityContext", {})
        if security.get("runAsUser", 0) <= 10000 or not security.get("runAsNonRoot"):
            yield f"{title(obj)}: runs as a user that the node may have too"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{title(obj)}: no seccomp profile"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{title(obj)}: is given a token for the cluster"
        for container in containers(template):
            yield from of_container(obj, container)


def of_container(obj, container):
    where = f"{title(obj)}: {container['name']}"
    security = container.get("securityContext", {})
    if not security.get("readOnlyRootFilesystem"):
        yield f"{where}: writes to its own file system"
    if security.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: may gain privileges"
    if security.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{where}: keeps capabilities"
    resources = container.get("resources", {})
    for kind in ("requests", "limits"):
        for what in ("cpu", "memory", "ephemeral-storage"):
            if what not in resources.get(kind, {}):
                yield f"{where}: {kind} name no {what}"
    if obj["kind"] in ("Deployment", "StatefulSet"):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"{where}: no {probe}"


def updates(deployment):
    for obj in deployment.of("Deployment"):
        if str(obj["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"]) != "0":
            yield f"{title(obj)}: an update takes a replica away before another is ready"
        topologies = {c["topologyKey"] for c in obj["spec"]["template"]["spec"].get("topologySpreadConstraints", [])}
        if topologies != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{title(obj)}: is not spread over zones and nodes"


def images(deployment):
    """By digest in a cloud, by a version elsewhere; never whatever is the newest."""
    if "+" in deployment.name:
        return
    for obj, template in deployment.workloads:
        for container in containers(template):
            image = container["image"]
            if deployment.name in CLOUDS and not re.search(r"@sha256:[0-9a-f]{64}$", image):
                yield f"{title(obj)}: {image} is not named by its digest"
            if not re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", image) or image.endswith(":latest"):
                yield f"{title(obj)}: {image} has no version"


UNITS = {"m": 1e-3, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def amount(text):
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", str(text)).groups()
    return float(number) * UNITS[unit]


def quota(deployment):
    """All autoscalers at their maximum, one more of each for an update, fit into the quota."""
    hard = deployment.get("ResourceQuota", "all")["spec"]["hard"]
    total = dict.fromkeys(["requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "pods"], 0)
    for obj, template in deployment.workloads:
        spec = obj["spec"]
        count = spec.get("replicas") or spec.get("parallelism") or spec.get("instances") or 1
        for scaler in deployment.of("HorizontalPodAutoscaler", "ScaledObject"):
            if scaler["spec"]["scaleTargetRef"]["name"] == obj["metadata"]["name"]:
                count = 1 + (scaler["spec"].get("maxReplicas") or scaler["spec"]["maxReplicaCount"])
        total["pods"] += count
        own = [spec["resources"]] if obj["kind"] == "Cluster" else []
        for resources in own + [c["resources"] for c in template["spec"]["containers"]]:
            for kind in ("requests", "limits"):
                for what in ("cpu", "memory"):
                    total[f"{kind}.{what}"] += count * amount(resources.get(kind, {}).get(what, 0))
    for what, sum_ in total.items():
        if sum_ > amount(hard[what]):
            yield f"ResourceQuota/all: {what} {hard[what]} is less than everything at its maximum, {sum_:g}"


def disruption(deployment):
    """Exactly one budget for what must stay, and none that forbids draining a node."""
    budgets = deployment.of("PodDisruptionBudget")
    for obj, template in deployment.workloads:
        if obj["kind"] in ("Deployment", "StatefulSet"):
            own = [b for b in budgets if selects(b["spec"]["selector"], labels(template))]
            if len(own) != 1:
                yield f"{title(obj)}: {len(own)} disruption budgets instead of one"
            for budget in own:
                if budget["spec"].get("maxUnavailable") != 1:
                    yield f"{title(budget)}: not one pod at a time"


def secrets(deployment):
    """Secrets come as files: variables show in `kubectl describe` and cannot change."""
    for obj, template in deployment.workloads:
        for container in containers(template):
            entries = container.get("env", []) + container.get("envFrom", [])
            if "secretKeyRef" in str(entries) or "secretRef" in str(entries):
                yield f"{title(obj)}: {container['name']} has a secret as a variable"
    for obj in deployment.of("ConfigMap"):
        for key, value in obj.get("data", {}).items():
            if re.search(r"://[^/\s:@]+:[^/\s:@*]+@", value):
                yield f"{title(obj)}: {key} holds a password"


def namespaces(deployment):
    for obj in deployment.of("Namespace"):
        if obj["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{title(obj)}: Pod Security is not enforced"
    for obj in deployment.objects:
        if obj["kind"] not in ("Namespace", "PriorityClass", "StorageClass") and obj["metadata"].get("namespace") != "votestream":
            yield f"{title(obj)}: is in no namespace"
