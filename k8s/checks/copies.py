"""What stands in two places says the same in both."""

import re

import yaml

from .deployment import HERE, title

ROOT = HERE.parent
ACCESS = ROOT / "schema/access"


def check(deployment):
    problems = []
    if "postgres-cnpg" in deployment.components:
        problems += managed_roles(deployment)
    scripts = [HERE / f"components/{name}/roles.sh" for name in ("postgres", "external-postgres")]
    if scripts[0].read_bytes() != scripts[1].read_bytes():
        problems.append("components/external-postgres/roles.sh differs from components/postgres/roles.sh")
    return problems + list(rules(deployment)) + list(grants(deployment))


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
    args = job["spec"]["template"]["spec"]["initContainers"][0]["args"]
    for arg in args:
        if arg.startswith("--grant-") and arg.split("=")[1] not in roles():
            yield f"{title(job)}: {arg} names no role of schema/access/roles.sql"


def rules(deployment):
    """The PrometheusRule holds the rules of grafana/."""
    rule = deployment.get("PrometheusRule", "votestream")
    if rule is None:
        return
    groups = []
    for path in sorted((ROOT / "grafana/prometheus/rules").glob("*.yml")):
        groups += yaml.safe_load(path.read_text())["groups"]
    if rule["spec"]["groups"] != groups:
        yield f"{title(rule)}: differs from grafana/prometheus/rules; run grafana/generate"
