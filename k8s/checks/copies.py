"""Checks that content that exists in two places is equal; `k8s/check copy` writes the copies."""

import functools
import math
import re
import shutil

import yaml

from .deployment import HERE, secret_value, title

ROOT = HERE.parent
ACCESS = ROOT / "schema/access"
# Maps a copy that kustomize needs in another component's folder to its original.
SCRIPTS = {
    "components/external-postgres/roles.sh": "components/postgres/roles.sh",
    "components/external-postgres/wait-for-postgres.sh": "components/backup/wait-for-postgres.sh",
}
RULES = ROOT / "grafana/prometheus/rules"
# Series of a replica that do not depend on the number of partitions; a consumer has some 150.
OTHER_SERIES = 1_000


def check(deployment):
    problems = []
    if "postgres-cnpg" in deployment.components:
        problems += managed_roles(deployment)
    if "monitoring" in deployment.components:
        problems += monitoring(deployment)
    rules = [grants, default_user, redis_settings]
    return problems + list(scripts(HERE)) + [problem for rule in rules for problem in rule(deployment)]


# Nobody can log in as this user, and it has every right: Redis replays the transactions of its append-only
# file as the user `default`, and drops those that this user may not run.
DEFAULT_USER = "user default off ~* &* +@all"


def default_user(deployment):
    """Checks that Redis' access list contains that default user."""
    made = secret_value(deployment, "redis-server", "users.acl")
    found = [line for line in (made or "").splitlines() if line.startswith("user default ")]
    if made is not None and found != [DEFAULT_USER]:
        yield f"Secret/redis-server: its default user is {found}, not {DEFAULT_USER!r}: a restart loses ballots"


def redis_settings(deployment):
    """Checks that every Redis has the settings of schema/access/redis.conf, which `make up`, tests and compose use."""
    wanted = set(setting_lines((ACCESS / "redis.conf").read_text()))
    for config in deployment.of("ConfigMap"):
        if "redis.conf" in config.get("data", {}):
            for line in sorted(wanted - set(setting_lines(config["data"]["redis.conf"]))):
                yield f"{title(config)}: redis.conf has not {line!r} of schema/access/redis.conf"


def setting_lines(text):
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def scripts(folder):
    for second, first in SCRIPTS.items():
        if (folder / first).read_bytes() != (folder / second).read_bytes():
            yield f"{second} differs from {first}"


def write():
    """Writes the copies again."""
    for second, first in SCRIPTS.items():
        shutil.copy(HERE / first, HERE / second)


@functools.lru_cache(None)
def groups():
    """Returns the groups of rules. For the operator each has an interval: its own default, 30 s, is too slow."""
    files = sorted(RULES.glob("*.yml"))
    found = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    return [{"interval": "5s"} | group for group in found]


def monitoring(deployment):
    """Checks that the rules and dashboards are equal to those of grafana/, and complete."""
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
    yield from targets(deployment.get("PodMonitor", "votestream"))


def targets(monitor):
    """Checks that Prometheus accepts every series of a consumer with the most partitions, and knows whose they are."""
    partitions = re.search(r"PARTITIONS_MAX: u16 = ([\d_]+);", (ROOT / "schema/src/keys.rs").read_text())[1]
    each = re.findall(r"^\| `votestream_\w+` \|[^|]+\|[^|]+\| `partition` \|", (ROOT / "docs/METRICS.md").read_text(), re.M)
    needed = len(each) * int(partitions) + OTHER_SERIES
    limit = monitor["spec"].get("sampleLimit", math.inf)
    if not each or limit < needed:
        yield f"PodMonitor/votestream: its sampleLimit is {limit}, and a consumer may have {needed} series"
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        if "deployment" not in [rule.get("targetLabel") for rule in endpoint.get("relabelings", [])]:
            yield "PodMonitor/votestream: the targets have no label deployment, which the rules go by"


def connection_limits():
    """Returns the roles of roles.sql, each with its connection limit; -1 is no limit."""
    found = re.findall(r"\('(\w+)', current_setting\('[\w.]+'\), (-?\d+)\)", (ACCESS / "roles.sql").read_text())
    return {role: int(limit) for role, limit in found}


def roles():
    return set(connection_limits())


def managed_roles(deployment):
    """Checks that CloudNativePG makes the same roles as roles.sql, with the same memberships and settings."""
    cluster = deployment.of("Cluster")[0]
    initial = cluster["spec"]["bootstrap"]["initdb"]
    managed = cluster["spec"]["managed"]["roles"]
    if {role["name"] for role in managed} | {initial["owner"]} != roles():
        yield f"{title(cluster)}: its roles are not those of schema/access/roles.sql"
    text = (ACCESS / "roles.sql").read_text()
    granted = set(re.findall(r"^GRANT (\w+) TO (\w+);", text, re.M))
    if {(group, role["name"]) for role in managed for group in role.get("inRoles", [])} != granted:
        yield f"{title(cluster)}: its roles are not in the groups of schema/access/roles.sql"
    wanted = set(re.findall(r"^(ALTER ROLE .*);", text, re.M))
    if {line for line in initial["postInitSQL"] if line.startswith("ALTER ROLE")} != wanted:
        yield f"{title(cluster)}: its roles are not set as schema/access/roles.sql sets them"
    limits = {role["name"]: role.get("connectionLimit", -1) for role in managed} | {initial["owner"]: -1}
    if limits != connection_limits():
        yield f"{title(cluster)}: the connection limits {limits} are not those of schema/access/roles.sql"
    shipped = re.findall(r"'(REVOKE .*?)'", (ACCESS / "database.sql").read_text())
    for database, statements in (("postgres", "postInitSQL"), (initial["database"], "postInitApplicationSQL")):
        wanted = {statement.replace("%I", database) for statement in shipped}
        if not wanted or not wanted <= set(initial.get(statements, [])):
            yield f"{title(cluster)}: {statements} does not take away the rights of schema/access/database.sql"


def grants(deployment):
    """Checks that the roles that `votectl migrate` grants rights to exist."""
    job = deployment.get("Job", "migrate")
    for arg in job["spec"]["template"]["spec"]["initContainers"][0]["args"]:
        if arg.startswith("--grant-") and arg.split("=")[1] not in roles():
            yield f"{title(job)}: {arg} names no role of schema/access/roles.sql"
