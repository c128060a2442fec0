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
