"""An operator's tasks on a running deployment: update, scale, change passwords, votectl, back up, restore."""

import json
import threading
import time

from .ballots import compare
from .clock import eventually
from .kubectl import run
from .postgres import SCRATCH
from .stage import SERVICES, Broken

# The longest time in seconds that `k8s/votectl` may take on a busy machine. On an idle one it takes two.
VOTECTL_S_MAX = 10.0
# Kubelets update changed secrets every 60 to 90 seconds, and later on a busy machine.
SECRETS_ARRIVE_S = 120
# KEDA starts one more consumer for this number of ballots in one stream.
BACKLOG_EACH = 50
# For so long the step "backlog" lets no ballot be counted.
LOCKED_S = 45
LOCK = "BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
DRAFT = """\
slug = "rehearsal"
title = "Came in by standard input"
[[options]]
slug = "yes"
label = "Yes"
[[options]]
slug = "no"
label = "No"
"""


def apply(stage, row):
    """Applies the overlay, waits until everything is ready, and starts the load."""
    began = time.monotonic()
    stage.kubectl.ask("apply", "--kustomize", stage.tree.overlay, timeout=180)
    stage.look()
    kinds = stage.kubectl.ask("get", "statefulset,deployment", "--output", "name").split()
    for job in ("redis-cluster-form", "migrate"):
        if stage.kubectl.find("job", job):
            stage.completed(job, 900)
    stage.rolled_out(*kinds, within=600)
    eventually("all instances of Postgres are ready", stage.postgres.is_whole, 600)
    stage.begin_load()
    row.notes.append(f"first vote after {time.monotonic() - began:.0f} s")


def vote(stage, row):
    """Only lets people vote."""
    time.sleep(stage.settings.quiet_s)


def update(stage, row):
    """Replaces every replica of every service, with a new image if one was named."""
    for name in SERVICES:
        if stage.settings.new_tag:
            told = stage.kubectl.get("deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"]
            image = told.split("@")[0].rpartition(":")[0] + ":" + stage.settings.new_tag
            stage.kubectl.do("set", "image", f"deployment/{name}", f"{name}={image}")
        else:
            stage.kubectl.do("rollout", "restart", f"deployment/{name}")
    stage.rolled_out()


def scale(stage, row):
    """Adds one replica of each service and removes it again, by changing the autoscalers."""
    kinds = {name: f"hpa/{name}" for name in SERVICES}
    if stage.kubectl.find("crd", "scaledobjects.keda.sh") and stage.kubectl.find("scaledobject", "consumer"):
        kinds["consumer"] = "scaledobject/consumer"
    before = {name: len(stage.kubectl.pods(name)) for name in SERVICES}

    def set_to(more):
        for name, kind in kinds.items():
            number = before[name] + more
            least, most = (("minReplicaCount", "maxReplicaCount") if kind.startswith("scaledobject")
                           else ("minReplicas", "maxReplicas"))
            stage.kubectl.do("patch", kind, "--type=merge",
                             f"--patch={json.dumps({'spec': {least: number, most: number}})}")
        for name in kinds:
            wanted = before[name] + more
            eventually(f"{wanted} of {name} are ready", lambda name=name, wanted=wanted:
                       len(stage.kubectl.ready(name)) == len(stage.kubectl.pods(name)) == wanted, 300)

    set_to(1)
    # Routing needs about a second; then the new replicas get voters for the rest of this time.
    time.sleep(10)
    set_to(0)


def backlog(stage, row):
    """KEDA starts consumers for ballots that wait: nothing is counted for a while, because the votes are locked."""
    before = len(stage.kubectl.pods("consumer"))
    given = stage.kubectl.get("scaledobject", "consumer")["spec"]
    triggers = [{**trigger, "metadata": {**trigger["metadata"], "streamLength": str(BACKLOG_EACH)}}
                for trigger in given["triggers"]]

    def set_to(**spec):
        stage.kubectl.do("patch", "scaledobject/consumer", "--type=merge", f"--patch={json.dumps({'spec': spec})}")
    set_to(maxReplicaCount=before + 2, triggers=triggers)
    began = time.monotonic()
    lock = threading.Thread(target=stage.postgres.sql, args=(LOCK.format(seconds=LOCKED_S),))
    lock.start()
    try:
        eventually(f"KEDA starts consumers beside the {before}",
                   lambda: len(stage.kubectl.pods("consumer")) > before, LOCKED_S)
        row.notes.append(f"more consumers {time.monotonic() - began:.0f} s after counting stopped")
        eventually("all consumers are ready",
                   lambda: len(stage.kubectl.ready("consumer")) == len(stage.kubectl.pods("consumer")), 120)
    finally:
        lock.join()
        set_to(maxReplicaCount=given["maxReplicaCount"], triggers=given["triggers"])
    eventually(f"{before} consumers are left", lambda: len(stage.kubectl.pods("consumer")) == before, 120)


def votectl(stage, row):
    """Tests k8s/votectl: its duration, its exit code, and its standard input."""
    def call(*words, **options):
        began = time.monotonic()
        done = run(stage.votectl, *words, check=False, timeout=180, **options)
        return done, time.monotonic() - began

    times = []
    for _ in range(3):
        done, seconds = call("poll", "list")
        times.append(seconds)
        if done.returncode or stage.poll not in done.stdout:
            raise Broken(f"votectl poll list: exit code {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    row.notes.append(f"{min(times):.1f} s a command")
    done, _ = call("poll", "show", "no-such-poll")
    if done.returncode != 1:
        row.problems.append(f"votectl poll show no-such-poll: exit code {done.returncode}, votectl's own is 1")
    done, _ = call("poll", "create", "--file", "/dev/stdin", "--if-missing", input=DRAFT)
    if done.returncode:
        row.problems.append(f"standard input does not reach votectl: {done.stdout[-300:]}{done.stderr[-300:]}")
    if min(times) > VOTECTL_S_MAX:
        row.problems.append(f"votectl takes {min(times):.1f} s a command; the bound is {VOTECTL_S_MAX:.0f} s")


def passwords(stage, row):
    """Changes all passwords as k8s/README.md describes: Redis accepts the old ones beside the new ones until all pods
    have received them, and then forgets them. Connections that were made with old ones are ended."""
    operator = stage.tree.secrets / "redis-server/operator-password"
    known = stage.tree.k8s / "operator-password-before"
    known.write_text(operator.read_text())
    # Keep the superuser's password, which is set once, and the keys of cookies and signatures, which are no passwords.
    for file in (stage.tree.secrets / "passwords").iterdir():
        if file.name not in ("postgres", "cookie-keys", "signing-keys"):
            file.unlink()
    stage.tree.make_secrets()
    stage.kubectl.ask("apply", "--kustomize", stage.tree.overlay, timeout=180)
    run(stage.tree.k8s / "reload-users", known)
    time.sleep(SECRETS_ARRIVE_S)
    if stage.postgres.kind == "component postgres":
        stage.kubectl.do("exec", "postgres-0", "--", "sh", "/docker-entrypoint-initdb.d/10-roles.sh")
    if stage.redis.replicas > 1:
        stage.kubectl.do("rollout", "restart", "statefulset/redis")
        stage.rolled_out("statefulset/redis", within=600)
    stage.tree.make_secrets("--forget-old")
    stage.kubectl.ask("apply", "--kustomize", stage.tree.overlay, timeout=180)
    run(stage.tree.k8s / "reload-users")
    stage.redis.end_connections()
    stage.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'votestream%'")


def backup(stage, row):
    """Makes a dump now."""
    before = stage.all_counted()
    stage.kubectl.do("create", "job", "backup-now", "--from=cronjob/backup")
    stage.completed("backup-now", 300)
    said = stage.kubectl.ask("logs", "job/backup-now")
    if "kept votestream-" not in said:
        raise Broken(f"the backup says: {said[-500:]}")
    stage.backed_up = before


def restore(stage, row):
    """Restores the newest dump into a scratch database, and compares it by name."""
    stage.postgres.sql(f"DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)", "postgres")
    stage.postgres.sql(f"CREATE DATABASE {SCRATCH} OWNER votestream", "postgres")
    job = stage.kubectl.get("job", "restore")
    spec = job["spec"]["template"]
    spec["metadata"]["labels"] = {key: value for key, value in spec["metadata"]["labels"].items()
                                  if key.startswith(("app.kubernetes.io/", "votestream/"))}
    # Only the dump is restored: `votectl resync`, which follows, would settle the Redis of the running deployment.
    container = spec["spec"].pop("initContainers")[0]
    spec["spec"]["containers"] = [container]
    # The secret names the production database; restore into the scratch database instead.
    container["command"][-1] = container["command"][-1].replace("exec sh", f"export PGDATABASE={SCRATCH}\nexec sh")
    stage.kubectl.create({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "restore-scratch"},
        "spec": {"backoffLimit": 0, "template": {"metadata": spec["metadata"], "spec": spec["spec"]}}})
    stage.completed("restore-scratch", 300)
    restored = stage.postgres.rows(stage.backed_up, SCRATCH)
    counted = stage.postgres.rows(stage.backed_up)
    comparison = compare(stage.backed_up, restored)
    if not comparison.holds:
        raise Broken(f"restored: {comparison}")
    strangers = set(restored) - set(counted)
    if strangers:
        raise Broken(f"{len(strangers)} restored votes are not in the database: {sorted(strangers)[:3]}")
    row.notes.append(f"{len(restored)} votes restored")
    stage.postgres.sql(f"DROP DATABASE {SCRATCH} WITH (FORCE)", "postgres")


def end(stage, row):
    """Ends the load and audits the votes: none is lost, none is invented, and the page shows the counted votes."""
    stage.end_load()
    ballots = stage.ballots()
    comparison = compare(ballots, stage.postgres.rows(ballots), complete=True)
    rows = {}

    def agree():
        rows["counted"], status_body = len(stage.postgres.rows()), stage.pages.tally()
        rows["shown"] = json.loads(status_body[1])["voters"] if status_body[0] == 200 else status_body
        return rows["counted"] == rows["shown"]
    eventually("the screen shows as many voters as are counted", agree, 60)
    if not comparison.holds:
        raise Broken(str(comparison))
    done = run(stage.votectl, "audit", check=False, timeout=300)
    if done.returncode:
        raise Broken(f"votectl audit: exit code {done.returncode}: {done.stdout[-1500:]}{done.stderr[-500:]}")
    row.notes.append(f"{rows['counted']} voters counted, shown and audited")
    for load in stage.loads:
        viewers = (load.report or {}).get("viewers") or {}
        wrong = {name: viewers[name] for name in ("stale_frames", "regressions", "gaps") if viewers.get(name)}
        if wrong:
            row.problems.append(f"viewers saw {wrong}")


