"""Checks that quota, volumes, memory, log space and connections are sufficient."""

import re

from .copies import connection_limits
from .deployment import containers, title


def check(deployment):
    rules = [quota, volumes, memory, connections, logs]
    return [problem for rule in rules for problem in rule(deployment)]


UNITS = {"m": 1e-3, "": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "kb": 2**10, "mb": 2**20, "gb": 2**30, "MB": 2**20, "GB": 2**30}


def amount(text):
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", str(text)).groups()
    return float(number) * UNITS[unit]


def quota(deployment):
    """Checks that the quota holds all autoscalers at their maximum, and one more pod of each for an update."""
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
    """Returns the largest number of pods of an object, one more during an update included."""
    for scaler in deployment.of("HorizontalPodAutoscaler", "ScaledObject"):
        if scaler["spec"]["scaleTargetRef"]["name"] == obj["metadata"]["name"]:
            return 1 + (scaler["spec"].get("maxReplicas") or scaler["spec"]["maxReplicaCount"])
    return obj["spec"].get("replicas") or obj["spec"].get("parallelism") or obj["spec"].get("instances") or 1


def claims(deployment):
    """Yields every requested volume, as size and number."""
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
    """Checks that the namespace allows the size of each volume."""
    limits = deployment.get("LimitRange", "all")["spec"]["limits"]
    bounds = next(l for l in limits if l["type"] == "PersistentVolumeClaim")
    for size, _ in claims(deployment):
        if not amount(bounds["min"]["storage"]) <= amount(size) <= amount(bounds["max"]["storage"]):
            yield f"LimitRange/all: a volume of {size} is refused"


def memory(deployment):
    """Checks that Redis refuses writes before the kernel kills it: its limit has room for the pages that a rewrite copies."""
    for obj, template in deployment.workloads:
        configs = {v["name"]: v["configMap"]["name"] for v in template["spec"].get("volumes", []) if "configMap" in v}
        for container in containers(template):
            for mount in container.get("volumeMounts", []) if "ports" in container else []:
                config = deployment.get("ConfigMap", configs.get(mount["name"])) or {}
                found = re.search(r"^maxmemory (\S+)$", config.get("data", {}).get("redis.conf", ""), re.M)
                limit = container["resources"]["limits"].get("memory", "0")
                if found and amount(found[1]) > 0.75 * amount(limit):
                    yield f"{title(obj)}: {container['name']}: maxmemory {found[1]} leaves no room of {limit}"


# The most connections of one replica: a consumer has one for each partition of a Redis Cluster (4) and 4 others, a
# dashboard has 4.
CONNECTIONS = {"consumer": 8, "dashboard": 4}

# Connections of votectl, a backup and the operator, and those that Postgres reserves for its superuser.
CONNECTIONS_BESIDE = 16


def connections(deployment):
    """Checks that Postgres accepts all connections that the services may open, also while one role uses up its limit."""
    replicas = {name: at_most(deployment, deployment.get("Deployment", name)) for name in CONNECTIONS}
    needed = {name: count * CONNECTIONS[name] for name, count in replicas.items()}
    limits = {name: connection_limits()[f"votestream_{name}"] for name in CONNECTIONS}
    for name, limit in limits.items():
        if limit < needed[name]:
            yield f"schema/access/roles.sql: {limit} connections of {name} are fewer than {needed[name]}"
    found = [c["spec"]["postgresql"]["parameters"]["max_connections"] for c in deployment.of("Cluster")]
    for config in deployment.of("ConfigMap"):
        found += re.findall(r"^max_connections = (\d+)$", config.get("data", {}).get("postgresql.conf", ""), re.M)
    for most in found:
        for name, limit in limits.items():
            beside = CONNECTIONS_BESIDE + sum(count for other, count in needed.items() if other != name)
            if int(most) < max(limit, needed[name]) + beside:
                yield f"max_connections is {most}: {name} may open {max(limit, needed[name])}, and others need {beside}"


# The most that a kubelet keeps of one container's log: 5 files of 50 MiB on AKS, of 10 MiB elsewhere.
LOG_KEPT = "250Mi"


def logs(deployment):
    """Checks that no pod is evicted for its own log: the limit of ephemeral-storage counts log and written files."""
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
    # of_resources reports missing limits.
    if amount(limits.get("ephemeral-storage", needed)) < needed:
        yield f"{where}: ephemeral-storage {limits['ephemeral-storage']} is less than its log, {needed / 2**20:g}Mi"
