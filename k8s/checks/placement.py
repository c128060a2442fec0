"""Checks the number of pods, their placement on nodes, and their priorities when there is no room."""

from .deployment import labels, selects, title


def check(deployment):
    rules = [autoscalers, updates, spread, disruption, priorities, handing_over]
    return [problem for rule in rules for problem in rule(deployment)]


def autoscalers(deployment):
    """Checks that each Deployment has one autoscaler and no `replicas`."""
    for obj in deployment.of("Deployment"):
        if is_single(obj):
            continue
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
                continue
            down = (spec.get("behavior") or of_keda["behavior"])["scaleDown"]
            # A ReplicaSet first removes replicas that share a node. When it removes several at once, it counts them before
            # the first is gone: of 3, 3 and 2 replicas on three nodes, it removes the six and leaves two on one node.
            if any(policy["type"] != "Pods" or policy["value"] != 1 for policy in down["policies"]):
                yield f"{title(scaler)}: scaling down by several replicas at once may leave all others on one node"


def is_single(obj):
    """Says whether a Deployment is one replica that nobody asks anything, as the canary: it may be away for a moment."""
    return obj["spec"]["strategy"].get("type") == "Recreate" and obj["spec"].get("replicas") == 1


def updates(deployment):
    for obj in deployment.of("Deployment"):
        if is_single(obj):
            continue
        if str(obj["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"]) != "0":
            yield f"{title(obj)}: an update takes a replica away before another is ready"
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


# In the scheduler's default profile, each of these two preferences gives a node up to 100 points, with weight 2. Both
# together separate two replicas even if everything else prefers one node.
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"

NEW_ONES = ["pod-template-hash"]


def spread(deployment):
    """Checks that no node holds all replicas of a service while another has room; a full node keeps none pending."""
    for obj in deployment.of("Deployment"):
        if is_single(obj):
            continue
        pod = obj["spec"]["template"]["spec"]
        constraints = pod.get("topologySpreadConstraints", [])
        for constraint in constraints:
            if constraint["whenUnsatisfiable"] != "ScheduleAnyway":
                yield f"{title(obj)}: a node that is full keeps its pods pending"
            # The scheduler gives no points to a node that lacks one of the labels.
            if constraint["topologyKey"] != HOST:
                yield f"{title(obj)}: it is not spread where nodes have no {constraint['topologyKey']}"
        terms = pod.get("affinity", {}).get("podAntiAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", [])
        weights = {term["podAffinityTerm"]["topologyKey"]: term["weight"] for term in terms}
        if not constraints or weights.get(HOST) != 100 or not 0 < weights.get(ZONE, 0) < 100:
            yield f"{title(obj)}: is not spread over zones and nodes"
        for rule in constraints + [term["podAffinityTerm"] for term in terms]:
            own = selects(rule["labelSelector"], labels(obj["spec"]["template"]))
            # In an update, only the new replicas must be spread, because the old ones end.
            if not own or rule.get("matchLabelKeys") != NEW_ONES:
                yield f"{title(obj)}: is spread apart from other pods than its own new ones"


def disruption(deployment):
    """Checks that each service has exactly one disruption budget, and that none prevents draining a node."""
    budgets = deployment.of("PodDisruptionBudget")
    for obj, template in deployment.workloads:
        if obj["kind"] in ("Deployment", "StatefulSet"):
            own = [b for b in budgets if selects(b["spec"]["selector"], labels(template))]
            if len(own) != 1:
                yield f"{title(obj)}: {len(own)} disruption budgets instead of one"
            for budget in own:
                if budget["spec"].get("maxUnavailable") != 1:
                    yield f"{title(budget)}: not one pod at a time"


# In the order in which they are scheduled, and evicted in reverse order.
RANKS = ["producer", "dashboard", "consumer"]


def priorities(deployment):
    """Checks that only Redis and Postgres preempt other pods, and that consumers have the lowest priority."""
    classes = {c["metadata"]["name"]: c for c in deployment.of("PriorityClass")}
    values = {}
    for obj, template in deployment.workloads:
        name = obj["spec"]["priorityClassName"] if obj["kind"] == "Cluster" else template["spec"]["priorityClassName"]
        # The check in references.py finds missing classes.
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


# Counting pauses while a stopping primary waits for its clients, which do not disconnect by themselves.
SMART_SHUTDOWN_S = 5


def handing_over(deployment):
    """Checks that CloudNativePG's primary does not wait for its clients, and may be killed: a standby has every commit."""
    for obj in deployment.of("Cluster"):
        spec = obj["spec"]
        # The defaults of CloudNativePG.
        smart, delay = spec.get("smartShutdownTimeout", 180), spec.get("switchoverDelay", 3600)
        if smart > SMART_SHUTDOWN_S:
            yield f"{title(obj)}: draining the primary's node pauses counting for {smart} s"
        if spec.get("stopDelay", 1800) < smart + 30:
            yield f"{title(obj)}: stopDelay leaves no time for a fast shutdown"
        synchronous = spec["postgresql"].get("synchronous", {})
        if delay < 3600 and (synchronous.get("number", 0) < 1 or synchronous.get("dataDurability") != "required"):
            yield f"{title(obj)}: a primary that is killed after {delay} s loses votes that no standby has"
