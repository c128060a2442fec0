"""Rules of our own, about what a schema cannot say."""

import re

from .deployment import containers, environment, labels, selects, title

CLOUDS = ("aks", "eks", "gke")
# What each pod must be able to finish after its grace periods.
MARGIN_S = 5


def check(deployment):
    rules = [
        autoscalers, grace, shells, pods, updates, images, majors, quota, volumes, memory, connections, peers, servers,
        disruption, secrets, namespaces, waits, logs,
        priorities,
    ]
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
            of_keda = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
            if not {"scaleUp", "scaleDown"} <= set(spec.get("behavior") or of_keda.get("behavior") or {}):
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
            # Of one server there is nobody else to go to: waiting would only make the pause longer.
            alone = obj["spec"].get("replicas") == 1 or "ports" not in container
            if served(deployment, template) and not alone and sleep < 5:
                yield f"{title(obj)}: a Service sends it clients, and preStop does not wait for it to stop"


def shells(deployment):
    """Who is told to stop is the program, not a shell before it, which would not pass it on."""
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
            # Its operator sees to the rest; what it is not told of memory and disk, the namespace's defaults say.
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


def updates(deployment):
    for obj in deployment.of("Deployment"):
        if str(obj["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"]) != "0":
            yield f"{title(obj)}: an update takes a replica away before another is ready"
        topologies = {c["topologyKey"] for c in obj["spec"]["template"]["spec"].get("topologySpreadConstraints", [])}
        if topologies != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{title(obj)}: is not spread over zones and nodes"
    for obj in deployment.of("StatefulSet"):
        if obj["spec"]["replicas"] < 2:
            continue
        anti = obj["spec"]["template"]["spec"].get("affinity", {}).get("podAntiAffinity", {})
        terms = anti.get("requiredDuringSchedulingIgnoredDuringExecution", [])
        own = [t for t in terms if selects(t["labelSelector"], labels(obj["spec"]["template"]))]
        if not any(t["topologyKey"] == "kubernetes.io/hostname" for t in own):
            yield f"{title(obj)}: two of its pods may be lost with one node"
        if obj["spec"].get("minReadySeconds", 0) < 10:
            yield f"{title(obj)}: an update goes on before a pod has taken back what it leads"


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


def majors(deployment):
    """pg_dump and pg_restore are no older than the server that they speak to."""
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


UNITS = {"m": 1e-3, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "kb": 2**10, "mb": 2**20, "gb": 2**30, "MB": 2**20, "GB": 2**30}


def amount(text):
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", str(text)).groups()
    return float(number) * UNITS[unit]


def quota(deployment):
    """All autoscalers at their maximum, one more of each for an update, fit into the quota."""
    hard = deployment.get("ResourceQuota", "all")["spec"]["hard"]
    total = dict.fromkeys(["requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "pods"], 0)
    for obj, template in deployment.workloads:
        spec = obj["spec"]
        count = at_most(deployment, obj)
        total["pods"] += count
        own = [spec["resources"]] if obj["kind"] == "Cluster" else []
        for resources in own + [c["resources"] for c in template["spec"]["containers"]]:
            for kind in ("requests", "limits"):
                for what in ("cpu", "memory"):
                    total[f"{kind}.{what}"] += count * amount(resources.get(kind, {}).get(what, 0))
    total["persistentvolumeclaims"] = sum(count for _, count in claims(deployment))
    services = [s["spec"] for s in deployment.of("Service")]
    total["services.loadbalancers"] = sum(s.get("type") == "LoadBalancer" for s in services)
    total["services.nodeports"] = sum(
        len(s["ports"]) for s in services
        if s.get("type") == "NodePort"
        or s.get("type") == "LoadBalancer" and s.get("allocateLoadBalancerNodePorts", True)
    )
    for what, limit in hard.items():
        if what not in total:
            yield f"ResourceQuota/all: nobody adds up {what}"
        elif total[what] > amount(limit):
            yield f"ResourceQuota/all: {what} {limit} is less than everything at its maximum, {total[what]:g}"


def at_most(deployment, obj):
    """How many pods there may be of it, one more during an update."""
    for scaler in deployment.of("HorizontalPodAutoscaler", "ScaledObject"):
        if scaler["spec"]["scaleTargetRef"]["name"] == obj["metadata"]["name"]:
            return 1 + (scaler["spec"].get("maxReplicas") or scaler["spec"]["maxReplicaCount"])
    return obj["spec"].get("replicas") or obj["spec"].get("parallelism") or obj["spec"].get("instances") or 1


def claims(deployment):
    """Every volume that is asked for: (size, how many of them)."""
    for obj in deployment.of("PersistentVolumeClaim"):
        yield obj["spec"]["resources"]["requests"]["storage"], 1
    for obj in deployment.of("StatefulSet"):
        for claim in obj["spec"].get("volumeClaimTemplates", []):
            yield claim["spec"]["resources"]["requests"]["storage"], obj["spec"]["replicas"]
    for obj in deployment.of("Cluster"):
        for part in ("storage", "walStorage"):
            if part in obj["spec"]:
                yield obj["spec"][part]["size"], obj["spec"]["instances"]


def volumes(deployment):
    """No volume is of a size that the namespace refuses."""
    limits = deployment.get("LimitRange", "all")["spec"]["limits"]
    bounds = next(l for l in limits if l["type"] == "PersistentVolumeClaim")
    for size, _ in claims(deployment):
        if not amount(bounds["min"]["storage"]) <= amount(size) <= amount(bounds["max"]["storage"]):
            yield f"LimitRange/all: a volume of {size} is refused"


def memory(deployment):
    """Redis refuses before the kernel kills it: what a rewrite copies has room beside its data."""
    for obj, template in deployment.workloads:
        configs = {v["name"]: v["configMap"]["name"] for v in template["spec"].get("volumes", []) if "configMap" in v}
        for container in containers(template):
            for mount in container.get("volumeMounts", []) if "ports" in container else []:
                config = deployment.get("ConfigMap", configs.get(mount["name"])) or {}
                found = re.search(r"^maxmemory (\S+)$", config.get("data", {}).get("redis.conf", ""), re.M)
                limit = container["resources"]["limits"].get("memory", "0")
                if found and amount(found[1]) > 0.75 * amount(limit):
                    yield f"{title(obj)}: {container['name']}: maxmemory {found[1]} leaves no room of {limit}"


# What one replica holds at the most: a consumer LANES (2) and 4 beside, a dashboard 4.
CONNECTIONS = {"consumer": 6, "dashboard": 4}
# votectl, a backup, the operator's own, and what Postgres keeps for its superuser.
CONNECTIONS_BESIDE = 16


def connections(deployment):
    """Postgres takes all that the services may open."""
    needed = CONNECTIONS_BESIDE + sum(
        count * at_most(deployment, deployment.get("Deployment", name)) for name, count in CONNECTIONS.items()
    )
    found = [c["spec"]["postgresql"]["parameters"]["max_connections"] for c in deployment.of("Cluster")]
    for config in deployment.of("ConfigMap"):
        found += re.findall(r"^max_connections = (\d+)$", config.get("data", {}).get("postgresql.conf", ""), re.M)
    for most in found:
        if int(most) < needed:
            yield f"max_connections is {most}, and {needed} may be opened"


def peers(deployment):
    """What is told how many pods there are is told the truth."""
    for obj, template in deployment.workloads:
        for container in containers(template):
            known, _ = environment(deployment, container)
            there = deployment.get("StatefulSet", "redis")
            if "PEERS" in known and int(known["PEERS"]) != there["spec"]["replicas"]:
                yield f"{title(obj)}: {container['name']} knows of {known['PEERS']} pods"


# As long as it may take at least until a pod's network policies are programmed, or a server has restarted.
FEWEST_WAIT_S = 60

INSIDE = {"redis", "redis-cluster", "postgres", "postgres-cnpg"}


def servers(deployment):
    """All inside with secrets made here, or all outside with a store's: no script makes the others."""
    outside = {c for c in deployment.components if c.startswith("external-")} - {"external-secrets"}
    inside = deployment.components & INSIDE
    if inside and outside:
        yield f"{sorted(inside)} inside and {sorted(outside)} outside: secrets for both come from nowhere"
    if inside and "external-secrets" in deployment.components:
        yield f"{sorted(inside)} takes its secrets from dev-secrets"
    if outside and deployment.components & {"dev-secrets", "dev-secrets-tls"}:
        yield f"{sorted(outside)} takes its secrets from external-secrets"


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


def waits(deployment):
    """What runs once waits for its server: a pod may run before its network policies are programmed."""
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


# What a kubelet keeps of one container's log: 5 files of 50 MiB on AKS, of 10 MiB elsewhere.
LOG_KEPT = "250Mi"


def logs(deployment):
    """No pod is evicted for its own log: the limit of ephemeral-storage counts it, and what is written to disk."""
    default = next(
        limit["default"] for limit in deployment.get("LimitRange", "all")["spec"]["limits"] if "default" in limit
    )
    yield from of_log("LimitRange/all", default, [])
    for obj, template in deployment.workloads:
        if obj["kind"] == "Cluster":
            yield from of_log(title(obj), obj["spec"]["resources"]["limits"], [])
        for container in containers(template):
            where = f"{title(obj)}: {container['name']}"
            yield from of_log(where, container["resources"]["limits"], template["spec"].get("volumes", []))


def of_log(where, limits, volumes):
    on_disk = [v["emptyDir"] for v in volumes if "emptyDir" in v and v["emptyDir"].get("medium") != "Memory"]
    needed = amount(LOG_KEPT) + sum(amount(folder["sizeLimit"]) for folder in on_disk)
    # A missing limit is of_resources' to find.
    if amount(limits.get("ephemeral-storage", needed)) < needed:
        yield f"{where}: ephemeral-storage {limits['ephemeral-storage']} is less than its log, {needed / 2**20:g}Mi"


# From the one that is scheduled first and evicted last.
RANKS = ["producer", "dashboard", "consumer"]


def priorities(deployment):
    """Only servers take room from other pods, and a crowd's consumers come after everybody else."""
    classes = {c["metadata"]["name"]: c for c in deployment.of("PriorityClass")}
    values = {}
    for obj, template in deployment.workloads:
        name = obj["spec"]["priorityClassName"] if obj["kind"] == "Cluster" else template["spec"]["priorityClassName"]
        # A class that is not there is references' to find.
        found = classes.get(name, {"value": 0, "preemptionPolicy": "Never"})
        values[obj["metadata"]["name"]] = found["value"]
        server = obj["kind"] in ("StatefulSet", "Cluster")
        if not server and found.get("preemptionPolicy") != "Never":
            yield f"{title(obj)}: it preempts other pods: {name}"
        if server and found["value"] != max(c["value"] for c in classes.values()):
            yield f"{title(obj)}: others are scheduled before it: {name}"
    for first, second in zip(RANKS, RANKS[1:]):
        if values[first] <= values[second]:
            yield f"Deployment/{second}: it is scheduled before {first}, or no later"
