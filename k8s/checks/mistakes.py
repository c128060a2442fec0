"""Plants mistakes, one at a time, and sees that each is noticed by the check that should."""

import copy

from . import security
from .deployment import Deployment


def check(overlays, checks):
    """Problems (mistakes that went unnoticed), and how many were planted."""
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
        if not any(words in problem for problem in found):
            planted = plant.__doc__ or plant.__name__
            problems.append(f"a planted mistake went unnoticed by {module}: {planted}: {found[:3]}")
    return problems, len(MISTAKES)


MISTAKES = []


def mistake(overlay, module, words):
    """Registers a function that breaks a deployment; `words` are what must then be said."""
    def register(plant):
        MISTAKES.append((overlay, module, words, plant))
        return plant
    return register


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


@mistake("minikube", "network", "open to all")
def egress_to_all(d):
    d.get("NetworkPolicy", "to-redis")["spec"]["egress"] = [{}]


@mistake("minikube", "network", "dashboard -> redis TCP/6379 is allowed, but not declared")
def dashboard_may_reach_redis(d):
    template = d.get("Deployment", "dashboard")["spec"]["template"]
    template["metadata"]["labels"]["votestream.dev/uses-redis"] = "true"


@mistake("minikube", "network", "its target may not receive")
def redis_lets_nobody_in(d):
    d.objects.remove(d.get("NetworkPolicy", "redis"))


@mistake("minikube", "network", "closes both ways")
def nothing_is_closed(d):
    d.objects.remove(d.get("NetworkPolicy", "nothing"))


@mistake("aks", "network", "nobody is")
def address_that_nobody_declared(d):
    d.get("NetworkPolicy", "to-postgres")["spec"]["egress"][0]["to"] = [{"ipBlock": {"cidr": "198.51.100.0/24"}}]


@mistake("minikube", "policy", "2 autoscalers")
def two_autoscalers(d):
    d.objects.append(copy.deepcopy(d.get("HorizontalPodAutoscaler", "consumer")))


@mistake("minikube", "policy", "`replicas` beside an autoscaler")
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


@mistake("minikube", "policy", "is less than everything")
def more_than_the_quota(d):
    d.get("HorizontalPodAutoscaler", "producer")["spec"]["maxReplicas"] = 100


@mistake("gke", "policy", "not named by its digest")
def image_by_its_tag(d):
    container(d, "consumer")["image"] = "registry.example.com/votestream/consumer:1"


@mistake("eks", "clouds", "Ingress/results: a stream is ended after 20 s of silence")
def idle_time_of_aws(d):
    key = "alb.ingress.kubernetes.io/load-balancer-attributes"
    d.get("Ingress", "results")["metadata"]["annotations"][key] = "idle_timeout.timeout_seconds=20"


@mistake("minikube", "clouds", "Ingress/results: a stream is ended after 10 s of silence")
def read_time_of_nginx(d):
    d.get("Ingress", "results")["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"] = "10"


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


@mistake("on-prem", "copies", "its roles are not those")
def role_that_is_missing(d):
    d.of("Cluster")[0]["spec"]["managed"]["roles"].pop()


@mistake("on-prem", "copies", "differs from grafana")
def rule_that_is_missing(d):
    d.of("PrometheusRule")[0]["spec"]["groups"].pop()


@mistake("on-prem", "copies", "are not those of grafana/dashboards")
def dashboard_that_is_missing(d):
    d.objects.remove(d.get("ConfigMap", "dashboard-slo"))


@mistake("minikube", "settings", "knows no variable BATCH_MAXIMUM")
def variable_that_is_not(d):
    container(d, "consumer")["env"].append({"name": "BATCH_MAXIMUM", "value": "5"})


@mistake("minikube", "settings", "refuses its settings")
def value_of_no_use(d):
    container(d, "consumer")["env"].append({"name": "CLAIM_IDLE_MS", "value": "1000"})


@mistake("minikube", "settings", "refuses its arguments")
def argument_that_is_not(d):
    pod(d, "Job", "migrate")["initContainers"][0]["args"].append("--grant-everybody")


@mistake("minikube", "security", "CKV_K8S_16")
def privileged_container(d):
    container(d, "producer")["securityContext"]["privileged"] = True
