"""Our own rules about pods and their programs, which a schema cannot express."""

import re

from .deployment import containers, environment, labels, selects, title

CLOUDS = ("aks", "eks", "gke")
# The time in seconds that a pod must have left after its grace periods.
MARGIN_S = 5


def check(deployment):
    rules = [grace, shells, pods, images, majors, peers, servers, secrets, namespaces, waits]
    return [problem for rule in rules for problem in rule(deployment)]


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
            # If there is only one server, clients have no other, so waiting would only make the outage longer.
            alone = obj["spec"].get("replicas") == 1 or "ports" not in container
            if served(deployment, template) and not alone and sleep < 5:
                yield f"{title(obj)}: a Service sends it clients, and preStop does not wait for it to stop"


def shells(deployment):
    """Checks that the program itself gets SIGTERM, and not a shell, which would not pass it on."""
    for obj, template in deployment.workloads:
        for container in containers(template):
            words = container.get("command", []) + container.get("args", [])
            if words[:1] == ["sh"] and words[1].startswith("-"):
                if not words[-1].strip().splitlines()[-1].startswith("exec "):
                    yield f"{title(obj)}: {container['name']}: a shell stays before what it runs"


def served(deployment, template):
    services = [s["spec"]["selector"] for s in deployment.of("Service")]
    return any(selects({"matchLabels": s}, labels(template)) for s in services)


def pods(deployment):
    for obj, template in deployment.workloads:
        if obj["kind"] == "Cluster":
            # Its operator sets the rest; without limits of memory and disk, the namespace's defaults apply.
            yield from of_resources(title(obj), obj["spec"].get("resources", {}))
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
    yield from of_resources(where, container.get("resources", {}))
    if obj["kind"] in ("Deployment", "StatefulSet"):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"{where}: no {probe}"


def of_resources(where, resources):
    for kind in ("requests", "limits"):
        for what in ("cpu", "memory", "ephemeral-storage"):
            if what not in resources.get(kind, {}):
                yield f"{where}: {kind} name no {what}"


def images(deployment):
    """Checks that images have a digest in a cloud and a version elsewhere, never `latest`."""
    if "+" in deployment.name:
        return
    for obj, template in deployment.workloads:
        for container in containers(template):
            image = container["image"]
            if deployment.name in CLOUDS and not re.search(r"@sha256:[0-9a-f]{64}$", image):
                yield f"{title(obj)}: {image} is not named by its digest"
            if not re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", image) or image.endswith(":latest"):
                yield f"{title(obj)}: {image} has no version"


def majors(deployment):
    """Checks that pg_dump and pg_restore are not older than the server."""
    servers = [c["spec"].get("imageName", "") for c in deployment.of("Cluster")]
    tools = [
        (title(obj), c["image"]) for obj, template in deployment.workloads
        for c in containers(template) if re.search(r"(^|/)postgres(:|$)", c["image"])
    ]
    for server in servers:
        major = re.search(r":(\d+)[\w.-]*$", server)
        if not major:
            yield f"Cluster: the operator chooses its major release: imageName is {server!r}"
            continue
        for where, image in tools:
            tag = re.search(r":(\d+)", image)
            if tag and tag[1] != major[1]:
                yield f"{where}: {image} for a server of {server}"


def peers(deployment):
    """Checks that settings with a number of pods agree with the actual number."""
    for obj, template in deployment.workloads:
        for container in containers(template):
            known, _ = environment(deployment, container)
            there = deployment.get("StatefulSet", "redis")
            if "PEERS" in known and int(known["PEERS"]) != there["spec"]["replicas"]:
                yield f"{title(obj)}: {container['name']} knows of {known['PEERS']} pods"


# The shortest wait allowed: until then a pod's network policies take effect, and a server has restarted.
FEWEST_WAIT_S = 60

INSIDE = {"redis", "redis-cluster", "postgres", "postgres-cnpg"}


def servers(deployment):
    """Checks that both servers are inside, with secrets made here, or both outside, with a secret store's."""
    outside = {c for c in deployment.components if c.startswith("external-")} - {"external-secrets"}
    inside = deployment.components & INSIDE
    if inside and outside:
        yield f"{sorted(inside)} inside and {sorted(outside)} outside: secrets for both come from nowhere"
    if inside and "external-secrets" in deployment.components:
        yield f"{sorted(inside)} takes its secrets from dev-secrets"
    if outside and deployment.components & {"dev-secrets", "dev-secrets-tls"}:
        yield f"{sorted(outside)} takes its secrets from external-secrets"


def secrets(deployment):
    """Checks that secrets are files: variables are visible in `kubectl describe` and cannot change."""
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


def waits(deployment):
    """Checks that whatever runs once waits for its server: a pod may run before its network policies take effect."""
    for obj, template in deployment.workloads:
        if obj["kind"] not in ("Job", "CronJob"):
            continue
        deadline = (obj["spec"].get("jobTemplate") or obj)["spec"]["activeDeadlineSeconds"]
        for container in containers(template):
            known, _ = environment(deployment, container)
            words = [re.fullmatch(r"--wait=(\d+)s", word) for word in container.get("args", [])]
            wait = max([int(known.get("WAIT_S", 0)), *(int(word[1]) for word in words if word)])
            if not FEWEST_WAIT_S <= wait < deadline:
                yield f"{title(obj)}: {container['name']} waits {wait} s for its server, of {deadline} s that it has"
