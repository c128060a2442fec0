"""Checks that everything that an object names exists: selectors, ports, config, secrets, accounts, claims, targets."""

from .deployment import containers, environment, labels, secret_keys, selects, title

# Made by the cluster, or by an operator that the overlay's README installs.
OUTSIDE = {
    ("ClusterIssuer", "letsencrypt"),
    ("Secret", "edge-tls"),
}


def check(deployment):
    rules = [of_pods, of_services, of_selectors, of_scaling, of_edges, of_links, of_secrets]
    return [problem for rule in rules for problem in rule(deployment)]


def missing(deployment, obj, kind, name):
    if not deployment.get(kind, name) and (kind, name) not in OUTSIDE:
        yield f"{title(obj)}: there is no {kind} {name}"


def of_pods(deployment):
    for obj, template in deployment.workloads:
        if obj["kind"] == "Cluster":
            continue
        spec = template["spec"]
        yield from missing(deployment, obj, "ServiceAccount", spec["serviceAccountName"])
        yield from missing(deployment, obj, "PriorityClass", spec["priorityClassName"])
        selector = obj["spec"].get("selector")
        if selector and not selects(selector, labels(template)):
            yield f"{title(obj)}: its selector does not select its own pods"
        if obj["kind"] == "StatefulSet":
            yield from missing(deployment, obj, "Service", obj["spec"]["serviceName"])
        volumes = {v["name"]: v for v in spec.get("volumes", [])}
        claims = {c["metadata"]["name"] for c in obj["spec"].get("volumeClaimTemplates", [])}
        mounted = set()
        for container in containers(template):
            for source in container.get("envFrom", []):
                yield from missing(deployment, obj, "ConfigMap", source["configMapRef"]["name"])
            mounts = container.get("volumeMounts", [])
            mounted |= {mount["name"] for mount in mounts}
            for name in {mount["name"] for mount in mounts} - set(volumes) - claims:
                yield f"{title(obj)}: {container['name']} mounts {name}, which is no volume"
            paths = [mount["mountPath"] for mount in mounts]
            if len(paths) != len(set(paths)):
                yield f"{title(obj)}: {container['name']} mounts two volumes at one place"
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port and port not in ports:
                    yield f"{title(obj)}: the {probe} asks port {port}, which is not there"
        for name in (set(volumes) | claims) - mounted:
            yield f"{title(obj)}: nobody mounts the volume {name}"
        for volume in volumes.values():
            yield from of_volume(deployment, obj, volume)


def of_volume(deployment, obj, volume):
    if "configMap" in volume:
        name = volume["configMap"]["name"]
        yield from missing(deployment, obj, "ConfigMap", name)
        data = (deployment.get("ConfigMap", name) or {}).get("data", {})
        for item in volume["configMap"].get("items", []):
            if item["key"] not in data:
                yield f"{title(obj)}: ConfigMap {name} has no key {item['key']}"
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        yield from missing(deployment, obj, "PersistentVolumeClaim", claim)


def of_secrets(deployment):
    """Checks that Secrets exist, and the keys that are read from them."""
    known = secret_keys(deployment)
    for obj, template in deployment.workloads:
        wanted = {}
        for volume in template["spec"].get("volumes", []):
            sources = [s["secret"] for s in volume.get("projected", {}).get("sources", []) if "secret" in s]
            if "secret" in volume:
                sources.append({**volume["secret"], "name": volume["secret"]["secretName"]})
            for source in sources:
                keys = {item["key"] for item in source.get("items", [])}
                wanted.setdefault(source["name"], set()).update(keys or read_keys(template, volume))
        if obj["kind"] == "Cluster":
            initial = obj["spec"]["bootstrap"]["initdb"]["secret"]["name"]
            roles = obj["spec"]["managed"]["roles"]
            for name in [initial, *(role["passwordSecret"]["name"] for role in roles)]:
                wanted[name] = {"username", "password"}
        yield from lacking(obj, wanted, known)
    for obj in deployment.of("TriggerAuthentication"):
        wanted = {}
        for target in obj["spec"]["secretTargetRef"]:
            wanted.setdefault(target["name"], set()).add(target["key"])
        yield from lacking(obj, wanted, known)
    for obj in deployment.of("ExternalSecret"):
        store = obj["spec"]["secretStoreRef"]
        # Secret stores are in the overlays.
        if "+" not in deployment.name:
            yield from missing(deployment, obj, store["kind"], store["name"])


def lacking(obj, wanted, known):
    for name, keys in wanted.items():
        if name not in known:
            if ("Secret", name) not in OUTSIDE:
                yield f"{title(obj)}: there is no Secret {name}"
            continue
        for key in keys - known[name]:
            yield f"{title(obj)}: Secret {name} has no key {key}"


def read_keys(template, volume):
    """Returns the keys of this volume that variables name as files."""
    found = set()
    for container in containers(template):
        for mount in container.get("volumeMounts", []):
            if mount["name"] != volume["name"]:
                continue
            words = [e.get("value", "") for e in container.get("env", [])]
            words += container.get("args", []) + container.get("command", [])
            folder = mount["mountPath"] + "/"
            for word in " ".join(words).split():
                name = word.removeprefix(folder).strip("\")'")
                if word.startswith(folder) and "/" not in name and "*" not in name:
                    found.add(name)
    return found


def of_services(deployment):
    for service in deployment.of("Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        chosen = [t for _, t in deployment.workloads if selects(selector, labels(t))]
        if not chosen:
            yield f"{title(service)}: it selects no pod"
        for template in chosen:
            names = {p["name"] for c in containers(template) for p in c.get("ports", [])}
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in names:
                    yield f"{title(service)}: pods have no port {port['targetPort']}"


def of_selectors(deployment):
    found = [labels(t) for _, t in deployment.workloads]
    for obj in deployment.of("PodDisruptionBudget", "PodMonitor"):
        if not any(selects(obj["spec"]["selector"], l) for l in found):
            yield f"{title(obj)}: it selects no pod"
    for obj in deployment.of("PodMonitor"):
        for endpoint in obj["spec"]["podMetricsEndpoints"]:
            for workload, template in deployment.workloads:
                if not selects(obj["spec"]["selector"], labels(template)):
                    continue
                ports = {p["name"] for c in containers(template) for p in c.get("ports", [])}
                if endpoint["port"] not in ports:
                    yield f"{title(obj)}: {title(workload)} has no port {endpoint['port']}"


def of_scaling(deployment):
    for obj in deployment.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = obj["spec"]["scaleTargetRef"]
        yield from missing(deployment, obj, target["kind"], target["name"])
    for obj in deployment.of("ScaledObject"):
        for trigger in obj["spec"]["triggers"]:
            if "authenticationRef" in trigger:
                name = trigger["authenticationRef"]["name"]
                yield from missing(deployment, obj, "TriggerAuthentication", name)


def of_edges(deployment):
    for obj in deployment.of("Ingress"):
        for rule in obj["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                yield from service_port(deployment, obj, backend["name"], backend["port"].get("name"))
    for obj in deployment.of("HTTPRoute"):
        for parent in obj["spec"]["parentRefs"]:
            yield from missing(deployment, obj, "Gateway", parent["name"])
            gateway = deployment.get("Gateway", parent["name"]) or {"spec": {"listeners": []}}
            names = {listener["name"] for listener in gateway["spec"]["listeners"]}
            if parent["sectionName"] not in names:
                yield f"{title(obj)}: the gateway has no listener {parent['sectionName']}"
        for rule in obj["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                yield from service_port(deployment, obj, backend["name"], backend["port"])
    for obj in deployment.of("HealthCheckPolicy", "GCPBackendPolicy", "RoutePolicy"):
        target = obj["spec"]["targetRef"]
        yield from missing(deployment, obj, target["kind"], target["name"])
    for obj in deployment.of("Certificate"):
        issuer = obj["spec"]["issuerRef"]
        yield from missing(deployment, obj, issuer["kind"], issuer["name"])


def of_links(deployment):
    """Checks that each page links to the other one's address at the edge, and that cookies are Secure behind TLS."""
    names, encrypted = {}, False
    for obj in deployment.of("Ingress"):
        for rule in obj["spec"]["rules"]:
            names[rule["http"]["paths"][0]["backend"]["service"]["name"]] = rule["host"]
        encrypted |= "tls" in obj["spec"]
    for obj in deployment.of("HTTPRoute"):
        for host in obj["spec"].get("hostnames", []):
            names[obj["spec"]["rules"][0]["backendRefs"][0]["name"]] = host
            encrypted = True
    scheme = "https" if encrypted else "http"
    for page, other, variable in (("producer", "dashboard", "RESULTS_URL"), ("dashboard", "producer", "VOTE_URL")):
        deployed = deployment.get("Deployment", page)
        known, _ = environment(deployment, containers(deployed["spec"]["template"])[0])
        expected = f"{scheme}://{names[other]}/" if other in names else None
        if known.get(variable) != expected:
            yield f"{title(deployed)}: {variable} is {known.get(variable)}, and the page is at {expected}"
        if page == "producer" and names and (known.get("COOKIE_SECURE") == "true") != encrypted:
            yield f"{title(deployed)}: COOKIE_SECURE does not say whether the edge speaks TLS"


def service_port(deployment, obj, name, port):
    yield from missing(deployment, obj, "Service", name)
    service = deployment.get("Service", name)
    if service and not any(port in (p["name"], p["port"]) for p in service["spec"]["ports"]):
        yield f"{title(obj)}: Service {name} has no port {port}"
