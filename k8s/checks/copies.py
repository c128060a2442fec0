"""What stands in two places says the same in both; `k8s/check copy` writes the second."""

import re

import yaml

from .deployment import HERE, title

ROOT = HERE.parent
ACCESS = ROOT / "schema/access"
ROLES_SH = HERE / "components/postgres/roles.sh"
ROLES_SH_COPY = HERE / "components/external-postgres/roles.sh"
RULES = ROOT / "grafana/prometheus/rules"


def check(deployment):
    problems = []
    if "postgres-cnpg" in deployment.components:
        problems += managed_roles(deployment)
    if "monitoring" in deployment.components:
        problems += monitoring(deployment)
    if ROLES_SH.read_bytes() != ROLES_SH_COPY.read_bytes():
        problems.append(f"{ROLES_SH_COPY.relative_to(HERE)} differs from {ROLES_SH.relative_to(HERE)}")
    return problems + list(grants(deployment))


def write():
    """Writes the copy anew."""
    ROLES_SH_COPY.write_bytes(ROLES_SH.read_bytes())


def groups():
    files = sorted(RULES.glob("*.yml"))
    return [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]


def monitoring(deployment):
    """The rules and dashboards are those of grafana/, all of them."""
    rule = deployment.get("PrometheusRule", "votestream")
    if rule is None or rule["spec"]["groups"] != groups():
        yield "PrometheusRule/votestream differs from grafana/prometheus/rules: run grafana/generate"
    shipped = {path.name: path.read_text() for path in (ROOT / "grafana/dashboards").glob("*.json")}
    found = {}
    for config in deployment.of("ConfigMap"):
        if config["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
            found.update(config["data"])
    if found != shipped:
        yield f"the dashboards {sorted(found)} are not those of grafana/dashboards, {sorted(shipped)}"


def roles():
    return set(re.findall(r"\('(\w+)', current_setting", (ACCESS / "roles.sql").read_text()))


def managed_roles(deployment):
    """CloudNativePG makes the roles that roles.sql makes elsewhere."""
    cluster = deployment.of("Cluster")[0]
    initial = cluster["spec"]["bootstrap"]["initdb"]["owner"]
    managed = {role["name"] for role in cluster["spec"]["managed"]["roles"]}
    if managed | {initial} != roles():
        yield f"{title(cluster)}: its roles are not those of schema/access/roles.sql"


def grants(deployment):
    """`votectl migrate` grants to roles that exist."""
    job = deployment.get("Job", "migrate")
    for arg in job["spec"]["template"]["spec"]["initContainers"][0]["args"]:
        if arg.startswith("--grant-") and arg.split("=")[1] not in roles():
            yield f"{title(job)}: {arg} names no role of schema/access/roles.sql"
