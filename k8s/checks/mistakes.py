"""Plants mistakes, one at a time, and tests that the right check notices each."""

import base64
import copy
import pathlib
import shutil
import tempfile

from . import copies, scripts, security, style
from .deployment import HERE, Deployment


def check(overlays, checks):
    """Returns the problems (mistakes that no check noticed), and the number of planted mistakes."""
    modules = {module.__name__.rpartition(".")[2]: module for module in checks}
    problems = []
    for overlay, module, words, plant in MISTAKES:
        original = overlays[overlay]
        broken = Deployment(original.name, copy.deepcopy(original.objects), original.components)
        plant(broken)
        if module == "security":
            found = security.check([broken])
        else:
            found = modules[module].check(broken)
        problems += unnoticed(module, words, plant, found)
    for run, words, plant in FILE_MISTAKES:
        with tempfile.TemporaryDirectory(prefix="votestream-k8s-") as temporary:
            folder = pathlib.Path(temporary) / "k8s"
            shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns(".venv", "files", "__pycache__"))
            plant(folder)
            problems += unnoticed(run.__name__, words, plant, run(folder))
    return problems, len(MISTAKES) + len(FILE_MISTAKES)


def unnoticed(module, words, plant, found):
    found = list(found)
    if not any(words in problem for problem in found):
        yield f"a planted mistake went unnoticed by {module}: {plant.__name__}: {found[:3]}"


MISTAKES = []
FILE_MISTAKES = []


def mistake(overlay, module, words):
    """Registers a function that plants a mistake in an overlay, or in a combination with a component that no overlay uses.
    The finding of the check must contain `words`."""
    def register(plant):
        MISTAKES.append((overlay, module, words, plant))
        return plant
    return register


def mistake_in_files(run, words):
    """Registers a function that plants a mistake in a copy of k8s/, which `run` then checks."""
    def register(plant):
        FILE_MISTAKES.append((run, words, plant))
        return plant
    return register


def change(path, old, new):
    text = path.read_text()
    assert old in text, f"{path} has no {old}"
    path.write_text(text.replace(old, new))


def pod(deployment, kind, name):
    return deployment.get(kind, name)["spec"]["template"]["spec"]


def container(deployment, name, kind="Deployment"):
    return pod(deployment, kind, name)["containers"][0]


@mistake("minikube", "schemas", "readinesProbe")
def misspelt_key(d):
    container(d, "producer")["readinesProbe"] = {}


@mistake("minikube", "schemas", "Kubernetes 1.32 has no")
def kind_that_is_not(d):
    d.get("HorizontalPodAutoscaler", "producer")["apiVersion"] = "autoscaling/v2beta2"


@mistake("on-prem", "schemas", "pollingIntervall")
def misspelt_key_of_keda(d):
    d.of("ScaledObject")[0]["spec"]["pollingIntervall"] = 5


@mistake("on-prem", "schemas", "instancez")
def misspelt_key_of_cloudnativepg(d):
    d.of("Cluster")[0]["spec"]["instancez"] = 3


@mistake("on-prem", "schemas", "scrapeTimeOut")
def misspelt_key_of_the_prometheus_operator(d):
    d.of("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["scrapeTimeOut"] = "1s"


@mistake("gke", "schemas", "backendReffs")
def misspelt_key_of_the_gateway_api(d):
    d.get("HTTPRoute", "vote")["spec"]["rules"][0]["backendReffs"] = []


@mistake("gke", "schemas", "timeOutSec")
def misspelt_key_of_gke(d):
    d.get("GCPBackendPolicy", "dashboard")["spec"]["default"]["timeOutSec"] = 1


@mistake("eks", "schemas", "remotRef")
def misspelt_key_of_external_secrets(d):
    d.get("ExternalSecret", "producer")["spec"]["data"][0]["remotRef"] = {}


@mistake("on-prem", "schemas", "rotationPolice")
def misspelt_key_of_cert_manager(d):
    d.get("Certificate", "edge")["spec"]["privateKey"]["rotationPolice"] = "Always"


@mistake("aks", "schemas", "routeTimeOut")
def misspelt_key_of_azure(d):
    d.get("RoutePolicy", "vote")["spec"]["default"]["timeouts"]["routeTimeOut"] = "15s"


@mistake("minikube", "schemas", "Kubernetes 1.37 has no")
def kind_that_is_no_more(d):
    bundle = {"apiVersion": "certificates.k8s.io/v1alpha1", "kind": "ClusterTrustBundle"}
    d.objects.append({**bundle, "metadata": {"name": "ours"}, "spec": {"trustBundle": ""}})


@mistake("minikube", "references", "does not select its own pods")
def selector_of_other_pods(d):
    d.get("Deployment", "consumer")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "counter"


@mistake("minikube", "references", "pods have no port")
def service_port_that_is_not(d):
    d.get("Service", "producer")["spec"]["ports"][0]["targetPort"] = "web"


@mistake("minikube", "references", "there is no ConfigMap")
def config_that_is_not(d):
    container(d, "dashboard")["envFrom"][0]["configMapRef"]["name"] = "comon"


@mistake("minikube", "references", "Secret producer has no key cookie-key")
def secret_key_that_is_not(d):
    for entry in container(d, "producer")["env"]:
        if entry["name"] == "COOKIE_KEYS_FILE":
            entry["value"] = "/secrets/cookie-key"


@mistake("eks", "references", "there is no Secret")
def secret_that_is_not(d):
    d.objects.remove(d.get("ExternalSecret", "consumer"))


@mistake("minikube", "references", "there is no ServiceAccount")
def account_that_is_not(d):
    pod(d, "Deployment", "producer")["serviceAccountName"] = "default-producer"


@mistake("minikube", "references", "there is no PersistentVolumeClaim")
def claim_that_is_not(d):
    d.objects.remove(d.get("PersistentVolumeClaim", "backups"))


@mistake("minikube", "references", "there is no Deployment")
def autoscaler_of_nothing(d):
    d.get("HorizontalPodAutoscaler", "producer")["spec"]["scaleTargetRef"]["name"] = "produce"


@mistake("minikube", "references", "and the page is at")
def link_to_nowhere(d):
    container(d, "producer")["env"].append({"name": "RESULTS_URL", "value": "https://results.example.com/"})


@mistake("minikube", "references", "it selects no pod")
def budget_of_nothing(d):
    d.get("PodDisruptionBudget", "consumer")["spec"]["selector"]["matchLabels"] = {"app": "consumer"}


@mistake("minikube", "references", "which is not there")
def probe_of_another_port(d):
    container(d, "producer")["readinessProbe"]["httpGet"]["port"] = "adminn"


@mistake("minikube", "references", "nobody mounts the volume spare")
def volume_without_mount(d):
    pod(d, "Deployment", "producer")["volumes"].append({"name": "spare", "emptyDir": {}})


@mistake("minikube", "references", "mounts spare, which is no volume")
def mount_without_volume(d):
    container(d, "producer")["volumeMounts"].append({"name": "spare", "mountPath": "/spare"})


@mistake("minikube", "references", "has no key redis.cnf")
def config_key_that_is_not(d):
    for volume in pod(d, "StatefulSet", "redis")["volumes"]:
        if volume["name"] == "config":
            volume["configMap"]["items"] = [{"key": "redis.cnf", "path": "redis.conf"}]


@mistake("minikube", "references", "Ingress/vote: there is no Service")
def ingress_to_nothing(d):
    d.get("Ingress", "vote")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "vote"


@mistake("gke", "references", "HTTPRoute/results: Service dashboard has no port 8080")
def route_to_another_port(d):
    d.get("HTTPRoute", "results")["spec"]["rules"][0]["backendRefs"][0]["port"] = 8080


@mistake("gke", "references", "no listener web")
def listener_that_is_not(d):
    d.get("HTTPRoute", "vote")["spec"]["parentRefs"][0]["sectionName"] = "web"


@mistake("gke", "references", "GCPBackendPolicy/dashboard: there is no Service")
def policy_of_nothing(d):
    d.get("GCPBackendPolicy", "dashboard")["spec"]["targetRef"]["name"] = "results"


@mistake("on-prem", "references", "there is no ClusterIssuer")
def issuer_that_is_not(d):
    d.get("Certificate", "edge")["spec"]["issuerRef"]["name"] = "letsencript"


@mistake("on-prem", "references", "there is no TriggerAuthentication")
def trigger_without_login(d):
    d.objects.remove(d.of("TriggerAuthentication")[0])


@mistake("on-prem", "references", "Secret keda has no key user")
def login_key_that_is_not(d):
    d.of("TriggerAuthentication")[0]["spec"]["secretTargetRef"][0]["key"] = "user"


@mistake("eks", "references", "there is no SecretStore")
def store_that_is_not(d):
    d.get("ExternalSecret", "producer")["spec"]["secretStoreRef"]["name"] = "vault"


@mistake("minikube", "references", "there is no PriorityClass")
def priority_that_is_not(d):
    pod(d, "StatefulSet", "redis")["priorityClassName"] = "votestream-date"


@mistake("minikube", "references", "StatefulSet/redis: there is no Service")
def servers_without_names(d):
    d.get("StatefulSet", "redis")["spec"]["serviceName"] = "redis-nodes"


@mistake("on-prem", "references", "PodMonitor/votestream: Deployment/producer has no port metrics")
def monitor_of_another_port(d):
    d.of("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["port"] = "metrics"


@mistake("minikube", "references", "Service/dashboard: it selects no pod")
def service_of_nothing(d):
    d.get("Service", "dashboard")["spec"]["selector"]["app.kubernetes.io/name"] = "results"


@mistake("minikube", "references", "COOKIE_SECURE")
def secure_cookies_over_plain_http(d):
    container(d, "producer")["env"].append({"name": "COOKIE_SECURE", "value": "true"})


@mistake("minikube", "network", "open to all")
def egress_to_all(d):
    d.get("NetworkPolicy", "to-redis")["spec"]["egress"] = [{}]


@mistake("minikube", "network", "dashboard -> redis TCP/6379 is allowed, but not declared")
def dashboard_may_reach_redis(d):
    template = d.get("Deployment", "dashboard")["spec"]["template"]
    template["metadata"]["labels"]["votestream/uses-redis"] = "true"


@mistake("minikube", "network", "its target may not receive")
def redis_lets_nobody_in(d):
    d.objects.remove(d.get("NetworkPolicy", "redis"))


@mistake("minikube", "network", "closes both ways")
def nothing_is_closed(d):
    d.objects.remove(d.get("NetworkPolicy", "nothing"))


@mistake("aks", "network", "nobody is")
def address_that_nobody_declared(d):
    d.get("NetworkPolicy", "to-postgres")["spec"]["egress"][0]["to"] = [{"ipBlock": {"cidr": "198.51.100.0/24"}}]


@mistake("minikube", "network", "an ingress rule without `from` is open to all")
def ingress_from_all(d):
    del d.get("NetworkPolicy", "redis")["spec"]["ingress"][0]["from"]


@mistake("minikube", "network", "its source may not send")
def migrate_may_not_send(d):
    del d.get("Job", "migrate")["spec"]["template"]["metadata"]["labels"]["votestream/uses-redis"]


@mistake("minikube", "network", "NetworkPolicy/redis: it selects no pod")
def policy_that_selects_nobody(d):
    d.get("NetworkPolicy", "redis")["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] = "valkey"


@mistake("minikube", "placement", "2 autoscalers")
def two_autoscalers(d):
    d.objects.append(copy.deepcopy(d.get("HorizontalPodAutoscaler", "consumer")))


@mistake("minikube", "placement", "`replicas` beside an autoscaler")
def number_beside_an_autoscaler(d):
    d.get("Deployment", "consumer")["spec"]["replicas"] = 2


@mistake("minikube", "policy", "is killed after 20 s")
def grace_that_does_not_add_up(d):
    pod(d, "Deployment", "dashboard")["terminationGracePeriodSeconds"] = 20


@mistake("minikube", "policy", "preStop does not wait")
def no_wait_before_the_end(d):
    del container(d, "producer")["lifecycle"]


@mistake("minikube", "policy", "no livenessProbe")
def no_liveness_probe(d):
    del container(d, "redis", "StatefulSet")["livenessProbe"]


@mistake("minikube", "policy", "limits name no memory")
def no_limit(d):
    del container(d, "postgres", "StatefulSet")["resources"]["limits"]["memory"]


@mistake("minikube", "policy", "that the node may have too")
def user_of_the_node(d):
    pod(d, "Deployment", "producer")["securityContext"]["runAsUser"] = 1000


@mistake("minikube", "room", "is less than everything")
def more_than_the_quota(d):
    d.get("HorizontalPodAutoscaler", "producer")["spec"]["maxReplicas"] = 100


@mistake("gke", "policy", "not named by its digest")
def image_by_its_tag(d):
    container(d, "consumer")["image"] = "registry.example.com/votestream/consumer:1"


@mistake("eks", "clouds", "Ingress/results: a stream is ended after 3 s of silence")
def idle_time_of_aws(d):
    key = "alb.ingress.kubernetes.io/load-balancer-attributes"
    d.get("Ingress", "results")["metadata"]["annotations"][key] = "idle_timeout.timeout_seconds=3"


@mistake("minikube", "clouds", "Ingress/results: a stream is ended after 3 s of silence")
def read_time_of_nginx(d):
    d.get("Ingress", "results")["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"] = "3"


@mistake("minikube", "clouds", "a stream is ended after 3600 s of silence")
def heartbeat_that_is_too_slow(d):
    d.get("Deployment", "dashboard")["spec"]["template"]["spec"]["containers"][0]["env"].append(
        {"name": "HEARTBEAT_MS", "value": "7200000"})


@mistake("gke", "clouds", "HTTPRoute/results: an event stream is ended after 30 s")
def response_time_of_google(d):
    d.objects.remove(d.get("GCPBackendPolicy", "dashboard"))


@mistake("aks", "clouds", "HTTPRoute/results: an event stream is ended after 15 s")
def response_time_of_azure(d):
    d.get("RoutePolicy", "results")["spec"]["default"]["timeouts"]["routeTimeout"] = "15s"


@mistake("on-prem", "clouds", "HTTPRoute/results: an event stream is ended after 0 s")
def response_time_that_nobody_says(d):
    del d.get("HTTPRoute", "results")["spec"]["rules"][0]["timeouts"]


@mistake("eks", "clouds", "it lets producer go after 300 s")
def farewell_of_aws(d):
    del d.get("Ingress", "vote")["metadata"]["annotations"]["alb.ingress.kubernetes.io/target-group-attributes"]


@mistake("gke", "clouds", "it lets dashboard go after 60 s")
def farewell_of_google(d):
    d.get("GCPBackendPolicy", "dashboard")["spec"]["default"]["connectionDraining"]["drainingTimeoutSec"] = 60


@mistake("eks", "clouds", "no elbv2.k8s.aws/pod-readiness-gate-inject")
def no_readiness_gate(d):
    del d.of("Namespace")[0]["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"]


@mistake("eks", "clouds", "10.42.96.0/19 sends voters")
def proxy_that_is_not_believed(d):
    peers = d.get("NetworkPolicy", "producer-from-edge")["spec"]["ingress"][0]["from"]
    peers.append({"ipBlock": {"cidr": "10.42.96.0/19"}})


@mistake("minikube", "clouds", "TRUSTED_PROXIES names nobody")
def no_proxy_is_believed(d):
    container(d, "producer")["env"].append({"name": "TRUSTED_PROXIES", "value": ""})


@mistake("gke", "clouds", "its own address must be reserved")
def address_that_google_chooses(d):
    del d.get("Gateway", "edge")["spec"]["addresses"]


@mistake("gke", "clouds", "its own address must be reserved")
def load_balancer_that_is_not_believed(d):
    trusted = {"name": "TRUSTED_PROXIES", "value": "35.191.0.0/16,130.211.0.0/22"}
    container(d, "producer")["env"].append(trusted)


@mistake("eks", "clouds", "is not what a managed Redis keeps")
def disk_that_nobody_has_seen(d):
    container(d, "producer")["env"].append({"name": "DURABILITY", "value": "fsync"})


@mistake("aks", "clouds", "nobody's digest, and others have theirs")
def pinned_by_half(d):
    container(d, "producer")["image"] = "registry.example.com/votestream/producer@sha256:" + "ab" * 32


@mistake("eks", "network", "dns-of-google UDP/53 is allowed, but not declared")
def google_where_it_is_not(d):
    peers = d.get("NetworkPolicy", "names")["spec"]["egress"][0]["to"]
    peers.append({"ipBlock": {"cidr": "169.254.169.254/32"}})


@mistake("gke", "network", "TCP/11000-14000 is allowed, but not declared")
def ports_beyond_the_nodes(d):
    d.get("NetworkPolicy", "to-redis")["spec"]["egress"][0]["ports"][1]["endPort"] = 14000


@mistake("gke", "clouds", "REDIS_CLUSTER of default-poll is None")
def migration_that_knows_no_cluster(d):
    pod(d, "Job", "migrate")["containers"][0]["env"].pop()


@mistake("gke", "clouds", "trigger 3 is redis-streams")
def trigger_that_knows_no_cluster(d):
    d.of("ScaledObject")[0]["spec"]["triggers"][3]["type"] = "redis-streams"


@mistake("gke", "clouds", "a cluster has addresses")
def address_of_a_cluster(d):
    d.of("TriggerAuthentication")[0]["spec"]["secretTargetRef"][2]["parameter"] = "address"


@mistake("eks", "clouds", "nobody makes the class gp3")
def storage_class_that_is_not(d):
    d.objects.remove(d.get("StorageClass", "gp3"))


@mistake("aks", "clouds", "and KEDA another")
def authority_that_keda_does_not_believe(d):
    d.of("TriggerAuthentication")[0]["spec"]["secretTargetRef"].pop()


@mistake("minikube", "policy", "secret as a variable")
def secret_as_a_variable(d):
    ref = {"secretKeyRef": {"name": "producer", "key": "redis-url"}}
    container(d, "producer")["env"].append({"name": "REDIS_URL", "valueFrom": ref})


@mistake("minikube", "policy", "Pod Security is not enforced")
def no_pod_security(d):
    d.of("Namespace")[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"


@mistake("minikube", "placement", "before another is ready")
def update_that_takes_away(d):
    d.get("Deployment", "consumer")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1


@mistake("minikube", "placement", "is not spread over zones and nodes")
def all_on_one_node(d):
    del pod(d, "Deployment", "dashboard")["topologySpreadConstraints"]


@mistake("minikube", "placement", "a node that is full keeps its pods pending")
def full_node_that_stops_scaling(d):
    pod(d, "Deployment", "consumer")["topologySpreadConstraints"][0]["whenUnsatisfiable"] = "DoNotSchedule"


@mistake("minikube", "placement", "it is not spread where nodes have no topology.kubernetes.io/zone")
def spread_that_needs_zones(d):
    constraints = pod(d, "Deployment", "consumer")["topologySpreadConstraints"]
    constraints.append({**constraints[0], "topologyKey": "topology.kubernetes.io/zone"})


@mistake("minikube", "placement", "is spread apart from other pods than its own new ones")
def update_that_counts_the_old_ones(d):
    del pod(d, "Deployment", "producer")["topologySpreadConstraints"][0]["matchLabelKeys"]


@mistake("on-prem", "placement", "two of its pods may be lost with one node")
def masters_on_one_node(d):
    terms = pod(d, "StatefulSet", "redis")["affinity"]["podAntiAffinity"]
    rule = terms.pop("requiredDuringSchedulingIgnoredDuringExecution")[0]
    terms["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": 1, "podAffinityTerm": rule}]


@mistake("on-prem", "placement", "before a pod has taken back")
def update_that_does_not_wait(d):
    del d.get("StatefulSet", "redis")["spec"]["minReadySeconds"]


@mistake("on-prem", "policy", "a shell stays before what it runs")
def redis_behind_a_shell(d):
    container(d, "redis", "StatefulSet")["command"] = ["sh", "-ec", "cat /config/redis.conf | exec redis-server -"]


@mistake("minikube", "policy", "no seccomp profile")
def no_seccomp_profile(d):
    del pod(d, "Deployment", "producer")["securityContext"]["seccompProfile"]


@mistake("minikube", "policy", "is given a token")
def token_for_the_cluster(d):
    del pod(d, "Job", "migrate")["automountServiceAccountToken"]


@mistake("minikube", "policy", "writes to its own file system")
def writable_root(d):
    container(d, "redis", "StatefulSet")["securityContext"]["readOnlyRootFilesystem"] = False


@mistake("minikube", "policy", "may gain privileges")
def gains_privileges(d):
    del container(d, "consumer")["securityContext"]["allowPrivilegeEscalation"]


@mistake("minikube", "policy", "keeps capabilities")
def keeps_capabilities(d):
    container(d, "consumer")["securityContext"]["capabilities"]["drop"] = ["NET_RAW"]


@mistake("on-prem", "placement", "fewer than two replicas")
def one_replica(d):
    d.of("ScaledObject")[0]["spec"]["minReplicaCount"] = 1


@mistake("minikube", "placement", "how fast it scales")
def no_behaviour(d):
    del d.get("HorizontalPodAutoscaler", "producer")["spec"]["behavior"]


@mistake("on-prem", "placement", "may leave all others on one node")
def scales_down_at_once(d):
    advanced = d.of("ScaledObject")[0]["spec"]["advanced"]["horizontalPodAutoscalerConfig"]
    advanced["behavior"]["scaleDown"]["policies"] = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


@mistake("minikube", "placement", "0 disruption budgets")
def no_budget(d):
    d.objects.remove(d.get("PodDisruptionBudget", "dashboard"))


@mistake("minikube", "placement", "not one pod at a time")
def budget_that_forbids_draining(d):
    d.get("PodDisruptionBudget", "redis")["spec"]["maxUnavailable"] = 0


@mistake("minikube", "policy", "has no version")
def image_without_version(d):
    container(d, "redis", "StatefulSet")["image"] = "redis"


@mistake("minikube", "policy", "holds a password")
def password_in_a_setting(d):
    name = container(d, "consumer")["envFrom"][0]["configMapRef"]["name"]
    d.get("ConfigMap", name)["data"]["TRACES_URL"] = "https://me:secret@traces.example.com"


@mistake("minikube", "policy", "is in no namespace")
def object_without_namespace(d):
    del d.get("Service", "producer")["metadata"]["namespace"]


@mistake("on-prem", "room", "persistentvolumeclaims 9 is less than")
def more_volumes_than_the_quota(d):
    d.get("ResourceQuota", "all")["spec"]["hard"]["persistentvolumeclaims"] = "9"


@mistake("minikube", "room", "services.loadbalancers 2 is less than")
def more_load_balancers_than_the_quota(d):
    for name in ("producer", "dashboard", "redis"):
        d.get("Service", name)["spec"]["type"] = "LoadBalancer"


@mistake("minikube", "room", "services.nodeports 4 is less than")
def more_node_ports_than_the_quota(d):
    service = d.get("Service", "producer")["spec"]
    service.update(type="NodePort", ports=service["ports"] * 5)


@mistake("minikube", "room", "nobody adds up")
def quota_that_nobody_adds_up(d):
    d.get("ResourceQuota", "all")["spec"]["hard"]["count/jobs.batch"] = "1"


@mistake("on-prem", "room", "a volume of 500Gi is refused")
def volume_too_large(d):
    d.of("Cluster")[0]["spec"]["storage"]["size"] = "500Gi"


@mistake("on-prem", "policy", "Cluster/postgres-cnpg: limits name no ephemeral-storage")
def operator_that_is_told_no_disk(d):
    del d.of("Cluster")[0]["spec"]["resources"]["limits"]["ephemeral-storage"]


@mistake("on-prem", "policy", "for a server of")
def server_newer_than_its_backup(d):
    d.of("Cluster")[0]["spec"]["imageName"] = "ghcr.io/cloudnative-pg/postgresql:18-standard-trixie"


@mistake("on-prem", "policy", "the operator chooses")
def server_of_any_release(d):
    del d.of("Cluster")[0]["spec"]["imageName"]


@mistake("on-prem", "placement", "draining the primary's node pauses counting for 180 s")
def primary_that_waits_for_its_clients(d):
    del d.of("Cluster")[0]["spec"]["smartShutdownTimeout"]


@mistake("on-prem", "placement", "stopDelay leaves no time")
def primary_that_is_killed_at_once(d):
    d.of("Cluster")[0]["spec"]["stopDelay"] = 10


@mistake("on-prem", "placement", "loses votes that no standby has")
def primary_that_is_killed_with_votes(d):
    d.of("Cluster")[0]["spec"]["postgresql"]["synchronous"]["dataDurability"] = "preferred"


@mistake("minikube", "room", "leaves no room")
def redis_as_large_as_its_limit(d):
    for config in d.of("ConfigMap"):
        if "redis.conf" in config["data"]:
            config["data"]["redis.conf"] = config["data"]["redis.conf"].replace("1400mb", "2000mb")


@mistake("on-prem", "room", "max_connections is 140")
def more_consumers_than_postgres_takes(d):
    d.of("ScaledObject")[0]["spec"]["maxReplicaCount"] = 16


@mistake("on-prem", "room", "connections of consumer are fewer")
def more_consumers_than_their_role_may_connect(d):
    d.of("ScaledObject")[0]["spec"]["maxReplicaCount"] = 12


@mistake("on-prem", "room", "dashboard may open 48")
def dashboard_that_can_use_up_all_sessions(d):
    d.of("Cluster")[0]["spec"]["postgresql"]["parameters"]["max_connections"] = "130"


@mistake("on-prem", "policy", "form knows of 3 pods")
def pods_that_nobody_knows_of(d):
    d.get("StatefulSet", "redis")["spec"]["replicas"] = 4


@mistake("on-prem", "policy", "preStop does not wait")
def node_that_does_not_hand_over(d):
    del container(d, "redis", "StatefulSet")["lifecycle"]


@mistake("on-prem", "policy", "secrets for both come from nowhere")
def one_server_inside_and_one_outside(d):
    d.components = d.components - {"postgres-cnpg"} | {"external-postgres"}


@mistake("on-prem", "copies", "the connection limits")
def role_without_a_limit_of_connections(d):
    del d.of("Cluster")[0]["spec"]["managed"]["roles"][1]["connectionLimit"]


@mistake("on-prem", "copies", "postInitApplicationSQL does not take away")
def role_that_makes_large_objects(d):
    d.of("Cluster")[0]["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"].pop()


@mistake("on-prem", "copies", "its roles are not those")
def role_that_is_missing(d):
    d.of("Cluster")[0]["spec"]["managed"]["roles"].pop()


@mistake("on-prem", "copies", "not in the groups")
def role_in_no_group(d):
    for role in d.of("Cluster")[0]["spec"]["managed"]["roles"]:
        role.pop("inRoles", None)


@mistake("on-prem", "copies", "not set as")
def role_that_may_write(d):
    d.of("Cluster")[0]["spec"]["bootstrap"]["initdb"]["postInitSQL"].pop(1)


@mistake("minikube", "copies", "--grant-consumer=votestream_counter names no role")
def grant_to_nobody(d):
    words = pod(d, "Job", "migrate")["initContainers"][0]["args"]
    words[words.index("--grant-consumer=votestream_consumer")] = "--grant-consumer=votestream_counter"


@mistake("on-prem", "copies", "differs from grafana")
def rule_that_is_missing(d):
    d.of("PrometheusRule")[0]["spec"]["groups"].pop()


@mistake("on-prem", "copies", "are not those of grafana/dashboards")
def dashboard_that_is_missing(d):
    d.objects.remove(d.get("ConfigMap", "dashboard-slo"))


@mistake("on-prem", "copies", "its sampleLimit is 5000")
def limit_that_takes_large_deployments_down(d):
    d.get("PodMonitor", "votestream")["spec"]["sampleLimit"] = 5000


@mistake("on-prem", "copies", "the targets have no label deployment")
def targets_that_are_nobodys(d):
    del d.get("PodMonitor", "votestream")["spec"]["podMetricsEndpoints"][0]["relabelings"]


@mistake("minikube", "copies", "a restart loses ballots")
def default_user_without_rights(d):
    data = d.get("Secret", "redis-server")["data"]
    users = base64.b64decode(data["users.acl"]).replace(b"user default off ~* &* +@all", b"user default off")
    data["users.acl"] = base64.b64encode(users).decode()


@mistake("minikube", "placement", "Deployment/consumer: it preempts other pods")
def consumer_that_takes_the_results_off_the_air(d):
    del d.get("PriorityClass", "votestream-counting")["preemptionPolicy"]


@mistake("minikube", "placement", "Deployment/consumer: it is scheduled before dashboard")
def consumer_before_the_dashboard(d):
    pod(d, "Deployment", "consumer")["priorityClassName"] = "votestream-voting"


@mistake("minikube", "placement", "StatefulSet/redis: others are scheduled before it")
def redis_behind_the_crowd(d):
    pod(d, "StatefulSet", "redis")["priorityClassName"] = "votestream-results"


@mistake("minikube", "room", "redis: ephemeral-storage 64Mi is less than its log")
def redis_that_is_evicted_for_its_log(d):
    container(d, "redis", "StatefulSet")["resources"]["limits"]["ephemeral-storage"] = "64Mi"


@mistake("minikube", "room", "LimitRange/all: ephemeral-storage 64Mi")
def default_limit_below_a_log(d):
    d.get("LimitRange", "all")["spec"]["limits"][0]["default"]["ephemeral-storage"] = "64Mi"


@mistake("minikube", "policy", "backup waits 0 s for its server")
def backup_that_tries_once(d):
    job = d.get("CronJob", "backup")["spec"]["jobTemplate"]["spec"]
    job["template"]["spec"]["containers"][0]["env"] = [{"name": "KEEP", "value": "48"}]


@mistake("minikube", "policy", "default-poll waits 300 s for its server, of 200 s")
def deadline_before_the_wait_is_over(d):
    d.get("Job", "migrate")["spec"]["activeDeadlineSeconds"] = 200


@mistake("loadtest", "policy", "loadtest waits 0 s for its server")
def load_that_tries_once(d):
    pod(d, "Job", "loadtest")["containers"][0]["args"].remove("--wait=60s")


@mistake("minikube", "copies", "redis.conf has not 'appendfsync always'")
def redis_that_writes_later(d):
    for config in d.of("ConfigMap"):
        if "redis.conf" in config["data"]:
            config["data"]["redis.conf"] = config["data"]["redis.conf"].replace("fsync always", "fsync everysec")


@mistake("on-prem", "copies", "a restart loses ballots")
def default_user_that_lets_everybody_in(d):
    data = d.get("Secret", "redis-server")["data"]
    users = base64.b64decode(data["users.acl"]).replace(b"user default off", b"user default on nopass")
    data["users.acl"] = base64.b64encode(users).decode()


@mistake("minikube", "settings", "knows no variable BATCH_MAXIMUM")
def variable_that_is_not(d):
    container(d, "consumer")["env"].append({"name": "BATCH_MAXIMUM", "value": "5"})


@mistake("minikube", "settings", "refuses its settings")
def value_of_no_use(d):
    container(d, "consumer")["env"].append({"name": "CLAIM_IDLE_MS", "value": "1000"})


@mistake("minikube", "settings", "refuses its arguments")
def argument_that_is_not(d):
    pod(d, "Job", "migrate")["initContainers"][0]["args"].append("--grant-everybody")


@mistake("minikube", "settings", "names a file where nothing is mounted")
def file_where_nothing_is_mounted(d):
    for entry in container(d, "dashboard")["env"]:
        if entry["name"] == "DATABASE_URL_FILE":
            entry["value"] = "/secret/database-url"


@mistake("on-prem", "settings", "and there are 8 partitions")
def partitions_that_nobody_asks_after(d):
    pod(d, "Job", "migrate")["initContainers"][0]["args"].append("--partitions=8")


@mistake("on-prem", "settings", "a trigger asks for something else than a stream's length")
def backlog_that_redis_may_not_know(d):
    trigger = d.of("ScaledObject")[0]["spec"]["triggers"][2]["metadata"]
    trigger.update(consumerGroup="tally", lagCount="10000")


@mistake("on-prem", "settings", "['no stream', '{votes:0}:stream'")
def trigger_of_prometheus(d):
    triggers = d.of("ScaledObject")[0]["spec"]["triggers"]
    triggers.append({"type": "prometheus", "metadata": {"serverAddress": "http://prometheus", "query": "1", "threshold": "1"}})


@mistake("minikube", "security", "CKV_K8S_16")
def privileged_container(d):
    container(d, "producer")["securityContext"]["privileged"] = True


@mistake("loadtest", "security", "CKV_K8S_16")
def privileged_load(d):
    pod(d, "Job", "loadtest")["containers"][0]["securityContext"]["privileged"] = True


@mistake_in_files(copies.scripts, "differs from components/postgres/roles.sh")
def copy_that_differs(folder):
    change(folder / "components/external-postgres/roles.sh", "--quiet", "")


@mistake_in_files(style.shell, "SC2086")
def unquoted_word(folder):
    (folder / "new").write_text('#!/bin/sh\nrm "$1" $2\n')


@mistake_in_files(style.yaml_files, "duplication of key")
def key_twice(folder):
    change(folder / "edges.yaml", "edges:\n", "edges: []\nedges:\n")


@mistake_in_files(scripts.pin, "pin gke: says")
def list_with_a_stray_line(folder):
    change(folder / "pin", "(- name|newName):", "(- name|newName)?")


@mistake_in_files(scripts.pin, "takes producer=latest")
def digest_that_is_a_tag(folder):
    change(folder / "pin", '|| { echo "not a digest: $pair" >&2; exit 2; }', "|| true")


@mistake_in_files(scripts.votectl, "its labels are")
def pod_with_other_edges(folder):
    change(folder / "votectl", '"votestream/"', '"votestream.example/"')


@mistake_in_files(scripts.votectl, "instead of (3,")
def exit_code_of_the_script(folder):
    change(folder / "votectl", "return int(code)", "return int(code) > 0")


@mistake_in_files(scripts.votectl, "and votectl reads None")
def input_that_is_kept(folder):
    change(folder / "votectl", "stat.S_ISFIFO(kind) or ", "")


@mistake_in_files(scripts.votectl, "leaves its pod behind")
def pod_that_stays(folder):
    change(folder / "votectl", 'kubectl("delete", "pod"', 'kubectl("get", "job"')
