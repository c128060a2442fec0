"""Checks that the behaviour of load balancers and managed servers suits the services.

The load balancer's idle time-out is longer than the heartbeat interval, a pod runs until the load balancer has stopped
using it, the producer sees the client's own address, and a managed Redis keeps the durability that "accepted" promises.
"""

import re

from .deployment import containers, environment, title

CLOUDS = ("aks", "eks", "gke")
# A time-out that ends silent connections must be at least this many heartbeats long.
HEARTBEATS = 2
# A time-out of a whole response, which ends event streams that are not silent too, must be at least this long.
WHOLE_S = 600
# The defaults of the load balancers, in seconds.
ALB = {"idle_timeout.timeout_seconds": 60, "deregistration_delay.timeout_seconds": 300}
NGINX_READ_S = 60
GKE_RESPONSE_S = 30
# Storage classes that exist in a new cluster.
CLASSES = {"aks": {"managed-csi-premium"}, "eks": set(), "gke": {"premium-rwo"}}
NOBODYS_DIGEST = "sha256:" + "0" * 64


def check(deployment):
    rules = [streams, farewells, readiness_gates, proxies, promises, clusters, authorities, pins, claims]
    return [problem for rule in rules for problem in rule(deployment)]


def settings_of(deployment, service):
    template = deployment.get("Deployment", service)["spec"]["template"]
    return environment(deployment, containers(template)[0])[0]


def seconds(text):
    """Returns the seconds of a Gateway API duration, such as 1h30m, 15s or 500ms."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|h|m|s)", str(text)))


def backend(ingress):
    return ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]


def alb_attribute(ingress, annotation, name):
    text = ingress["metadata"].get("annotations", {}).get(f"alb.ingress.kubernetes.io/{annotation}", "")
    pairs = dict(pair.split("=", 1) for pair in text.split(",") if pair)
    return float(pairs.get(name, ALB[name]))


def streams(deployment):
    """Checks that no time-out ends an event stream between two heartbeats, or soon after its start."""
    heartbeat = int(settings_of(deployment, "dashboard")["HEARTBEAT_MS"]) / 1000
    for obj in deployment.of("Ingress"):
        if backend(obj) != "dashboard":
            continue
        if obj["spec"]["ingressClassName"] == "alb":
            silence = alb_attribute(obj, "load-balancer-attributes", "idle_timeout.timeout_seconds")
        else:
            annotations = obj["metadata"].get("annotations", {})
            silence = float(annotations.get("nginx.ingress.kubernetes.io/proxy-read-timeout", NGINX_READ_S))
        if silence < HEARTBEATS * heartbeat:
            yield f"{title(obj)}: a stream is ended after {silence:g} s of silence; it has {heartbeat:g} s of it"
    for obj in deployment.of("HTTPRoute"):
        for rule in obj["spec"]["rules"]:
            if any(b["name"] == "dashboard" for b in rule.get("backendRefs", [])):
                yield from whole_response(deployment, obj, rule)


def whole_response(deployment, route, rule):
    gateway = deployment.get("Gateway", route["spec"]["parentRefs"][0]["name"])
    kind = gateway["spec"]["gatewayClassName"]
    if kind.startswith("gke-"):
        policies = [p for p in deployment.of("GCPBackendPolicy") if p["spec"]["targetRef"]["name"] == "dashboard"]
        lasts = policies[0]["spec"]["default"].get("timeoutSec", GKE_RESPONSE_S) if policies else GKE_RESPONSE_S
    elif kind.startswith("azure-"):
        own = route["metadata"]["name"]
        policies = [p for p in deployment.of("RoutePolicy") if p["spec"]["targetRef"]["name"] == own]
        lasts = seconds(policies[0]["spec"]["default"]["timeouts"]["routeTimeout"]) if policies else 60
    else:
        text = rule.get("timeouts", {}).get("request")
        # A route without a time-out gets its controller's default.
        lasts = 0 if text is None else seconds(text) or float("inf")
    if lasts < WHOLE_S:
        yield f"{title(route)}: an event stream is ended after {lasts:g} s, however lively it is"


def farewells(deployment):
    """Checks that a pod runs until the load balancer has finished the requests that it sent to the pod."""
    for service in ("producer", "dashboard"):
        pod = deployment.get("Deployment", service)["spec"]["template"]["spec"]
        sleep = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        stays = sleep + int(settings_of(deployment, service)["SHUTDOWN_GRACE_MS"]) / 1000
        found = [
            (obj, alb_attribute(obj, "target-group-attributes", "deregistration_delay.timeout_seconds"))
            for obj in deployment.of("Ingress")
            if obj["spec"]["ingressClassName"] == "alb" and backend(obj) == service
        ]
        found += [
            (obj, obj["spec"]["default"].get("connectionDraining", {}).get("drainingTimeoutSec", 0))
            for obj in deployment.of("GCPBackendPolicy") if obj["spec"]["targetRef"]["name"] == service
        ]
        for obj, wanted in found:
            if wanted > stays:
                yield f"{title(obj)}: it lets {service} go after {wanted:g} s, and the pod is gone after {stays:g} s"


def readiness_gates(deployment):
    """Checks the readiness gates: AWS's load balancer connects directly to pods, so it also decides when one is ready."""
    label = "elbv2.k8s.aws/pod-readiness-gate-inject"
    for obj in deployment.of("Ingress"):
        annotations = obj["metadata"].get("annotations", {})
        if annotations.get("alb.ingress.kubernetes.io/target-type") != "ip":
            continue
        for namespace in deployment.of("Namespace"):
            if namespace["metadata"]["labels"].get(label) != "enabled":
                yield f"{title(namespace)}: no {label}, and {title(obj)} sends voters to pods"


def proxies(deployment):
    """Checks that the producer trusts X-Forwarded-For of every proxy; otherwise all voters behind it share one limit."""
    policy = deployment.get("NetworkPolicy", "producer-from-edge")
    if "+" in deployment.name or policy is None:
        return
    trusted = set(settings_of(deployment, "producer").get("TRUSTED_PROXIES", "").split(",")) - {""}
    blocks = {p["ipBlock"]["cidr"] for p in policy["spec"]["ingress"][0]["from"] if "ipBlock" in p}
    for block in sorted(blocks - trusted):
        yield f"{title(policy)}: {block} sends voters, and TRUSTED_PROXIES does not name it"
    if not trusted:
        yield f"{title(policy)}: somebody sends voters, and TRUSTED_PROXIES names nobody"
    for gateway in deployment.of("Gateway"):
        # Google appends the load balancer's own address after the client's.
        own = [network for network in trusted - blocks if network.endswith("/32")]
        if gateway["spec"]["gatewayClassName"].startswith("gke-l7-global-external"):
            if not gateway["spec"].get("addresses") or not own:
                yield f"{title(gateway)}: its own address must be reserved, and in TRUSTED_PROXIES"


def promises(deployment):
    """Checks that clouds do not promise fsync, because no managed Redis shows its disk settings."""
    if deployment.name in CLOUDS:
        promised = settings_of(deployment, "producer")["DURABILITY"]
        if promised != "replicated":
            yield f"Deployment/producer: DURABILITY={promised} is not what a managed Redis keeps"


def clusters(deployment):
    """Checks that all clients of Redis have the same setting for whether it is a Redis Cluster."""
    expected = bool({"redis-cluster", "external-redis-cluster"} & deployment.components)
    for obj, template in deployment.workloads:
        for container in containers(template):
            known, _ = environment(deployment, container)
            if "REDIS_URL_FILE" in known and (known.get("REDIS_CLUSTER") == "true") != expected:
                yield f"{title(obj)}: REDIS_CLUSTER of {container['name']} is {known.get('REDIS_CLUSTER')}"
    for obj in deployment.of("ScaledObject"):
        for number, trigger in enumerate(obj["spec"]["triggers"]):
            if trigger["type"].startswith("redis") and trigger["type"].startswith("redis-cluster") != expected:
                yield f"{title(obj)}: trigger {number} is {trigger['type']}"
    for obj in deployment.of("TriggerAuthentication"):
        parameters = {target["parameter"] for target in obj["spec"]["secretTargetRef"]}
        if ("addresses" in parameters) != expected:
            yield f"{title(obj)}: a cluster has addresses, and one Redis an address"


def authorities(deployment):
    """Checks that KEDA trusts the same certificate authority as the services."""
    template = deployment.get("Deployment", "consumer")["spec"]["template"]
    known, _ = environment(deployment, containers(template)[0])
    for obj in deployment.of("TriggerAuthentication"):
        parameters = {target["parameter"] for target in obj["spec"]["secretTargetRef"]}
        if ("ca" in parameters) != ("REDIS_CA_FILE" in known):
            yield f"{title(obj)}: consumers believe one authority, and KEDA another"


def pins(deployment):
    """Checks the digests: all zeros in a shipped overlay, and all real ones after `k8s/pin`."""
    if deployment.name not in CLOUDS:
        return
    images = {c["image"] for _, template in deployment.workloads for c in containers(template)}
    unpinned = {image for image in images if image.endswith(NOBODYS_DIGEST)}
    if len(unpinned) < len(images):
        for image in sorted(unpinned):
            yield f"{image}: nobody's digest, and others have theirs: name it with k8s/pin"


def claims(deployment):
    """Checks that the storage class of each volume exists in the cloud or is defined here."""
    if deployment.name not in CLOUDS:
        return
    classes = CLASSES[deployment.name] | {c["metadata"]["name"] for c in deployment.of("StorageClass")}
    for claim in deployment.of("PersistentVolumeClaim"):
        wanted = claim["spec"].get("storageClassName")
        if wanted not in classes:
            yield f"{title(claim)}: nobody makes the class {wanted}"
