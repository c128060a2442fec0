"""Failures of a deployment: servers that restart, are killed, or restart while ballots wait; nodes that fail."""

import json
import shlex
import subprocess
import time

from .clock import Slow, eventually, say
from .kubectl import Failed
from .screen import Answers
from .stage import SERVICES, Broken

WAITING = 50
# The longest time from the database's first answer to a new figure on screens. On an idle machine it takes two seconds;
# the rest is for a busy one.
FIRST_FIGURE_S_MAX = 5.0
# Kills Postgres' checkpointer; Postgres then recovers as after a crash.
KILL_CHECKPOINTER = """
for process in /proc/[0-9]*; do
    if tr '\\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q '^postgres:.*checkpointer'; then
        kill -KILL "${process#/proc/}" && echo killed
    fi
done
"""
# The longest time without a new figure while the primary's node is drained.
COUNTING_PAUSED_S_MAX = 10.0
# Seconds without DNS and without a node. A new master needs about ten.
NAMES_AWAY_S = 60
# Seconds for which a node is disconnected: longer than a cluster takes to notice.
AWAY_S = 90


def restart(stage, pod, *how):
    """Deletes a server's pod and waits until it is back."""
    uid = stage.uid(pod)
    stage.kubectl.do("delete", "pod", pod, *how)
    stage.replaced(pod, uid)


def restart_redis(stage, row):
    """Restarts each Redis pod, one after the other, as a drain or an update does."""
    for pod in stage.redis.pods():
        restart(stage, pod)
        stage.rolled_out("statefulset/redis")


def restart_postgres(stage, row):
    """Restarts Postgres, or the primary of several instances, and measures how soon screens show a new figure once it
    answers again."""
    pod = stage.postgres.pod()
    with stage.pages.screen() as screen, Answers(stage.postgres.takes_writes) as answers:
        restart(stage, pod)
        measure_first_figure(stage, row, screen, answers)
    eventually("all instances of Postgres are ready", stage.postgres.is_whole, 300)


def measure_first_figure(stage, row, screen, answers):
    """Measures the time, if the server was unreachable for long enough to be noticed."""
    try:
        since = eventually("the database answers after it did not", lambda: answers.since, 30)
    except Slow:
        row.notes.append("the database always answered")
        return
    at = eventually("screens show a new figure", lambda: screen.new_figure(since), 60, every=0.1)
    row.first_figure_s = at - since
    row.notes.append(f"first new figure {row.first_figure_s:.1f} s after the database answers")
    if row.first_figure_s > FIRST_FIGURE_S_MAX:
        row.problems.append(f"screens showed nothing new for {row.first_figure_s:.1f} s after the database answered; "
                            f"the bound is {FIRST_FIGURE_S_MAX:.0f} s")


def kill(stage, row):
    """Kills Redis and one replica of each service without a grace period, and Postgres' processes by a signal."""
    for name in SERVICES:
        pod = stage.kubectl.ready(name)[0]["metadata"]["name"]
        stage.kubectl.do("delete", "pod", pod, "--grace-period=0", "--force")
    if stage.redis.is_here:
        restart(stage, "redis-0", "--grace-period=0", "--force")
    if stage.postgres.kind != "outside":
        said = stage.kubectl.do(
            "exec", "--stdin", stage.postgres.pod(), "--container", "postgres", "--", "sh", input=KILL_CHECKPOINTER)
        if "killed" not in said:
            row.notes.append("Postgres' processes could not be seen")
    stage.rolled_out()


def waiting(stage, row):
    """Restarts Redis while uncounted ballots wait: the consumers are stopped, 50 people vote, every Redis pod is
    deleted. The streams hold 50 before and after, and all 50 are counted once consumers are back."""
    stage.end_load()
    stage.all_counted()
    replicas = len(stage.kubectl.pods("consumer"))
    stop_consumers(stage)
    try:
        stage.cast(WAITING)
        held = stage.redis.waiting()
        if held != WAITING:
            raise Broken(f"{WAITING} ballots were accepted, the streams hold {held}")
        say(f"{WAITING} ballots wait; Redis restarts")
        uids = {pod: stage.uid(pod) for pod in stage.redis.pods()}
        stage.kubectl.do("delete", "pod", *uids)
        for pod, uid in uids.items():
            stage.replaced(pod, uid)
        held = eventually("Redis answers", lambda: held_by(stage.redis), 60)[0]
        if held != WAITING:
            row.problems.append(f"{WAITING} ballots waited, the streams hold {held} after the restart of Redis")
    finally:
        start_consumers(stage, replicas)
        eventually("the consumers are back", lambda: len(stage.kubectl.ready("consumer")) >= replicas, 120)
        stage.begin_load()
    row.notes.append(f"{held} of {WAITING} waited through it")


def held_by(redis):
    """Returns a list with the number of entries in all streams; None while Redis does not answer."""
    try:
        return [redis.waiting()]
    except (Failed, ValueError):
        return None


def stop_consumers(stage):
    """Stops all consumers. An autoscaler does nothing at 0 replicas; KEDA is paused."""
    if has_keda(stage):
        stage.kubectl.do("annotate", "--overwrite", "scaledobject/consumer", "autoscaling.keda.sh/paused-replicas=0")
    else:
        stage.kubectl.do("scale", "deployment/consumer", "--replicas=0")

    def gone():
        return not stage.kubectl.get("pods", "--selector", "app.kubernetes.io/name=consumer")
    eventually("no consumer is left", gone, 120)


def start_consumers(stage, replicas):
    if has_keda(stage):
        stage.kubectl.do("annotate", "scaledobject/consumer", "autoscaling.keda.sh/paused-replicas-")
    stage.kubectl.do("scale", "deployment/consumer", f"--replicas={replicas}")


def has_keda(stage):
    return bool(stage.kubectl.find("crd", "scaledobjects.keda.sh") and
                stage.kubectl.find("scaledobject", "consumer"))


def victim(stage):
    """Returns the node with most of our pods on which the load does not run."""
    number = {}
    for pod in stage.kubectl.get("pods"):
        node = pod["spec"].get("nodeName")
        if node and node != stage.load.node and pod["status"]["phase"] == "Running":
            number[node] = number.get(node, 0) + 1
    if not number:
        raise Broken("every pod stands on one node")
    return max(number, key=number.get)


def drain(stage, row):
    """Drains a node, as for maintenance, and allows pods on it again. With several instances of Postgres it is the
    primary's node. Measures the longest time in which screens showed no new figure."""
    node = primary_node(stage) or victim(stage)
    row.notes.append(f"node {node}")
    begin = time.time()
    with stage.pages.screen(not_on=node) as screen:
        try:
            stage.kubectl.do("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s",
                             timeout=330)
            stage.rolled_out()
            time.sleep(10)
        finally:
            stage.kubectl.do("uncordon", node)
        row.counting_paused_s = screen.longest_pause(begin, time.time())
    row.notes.append(f"counting paused for {row.counting_paused_s:.1f} s")
    if row.counting_paused_s > COUNTING_PAUSED_S_MAX:
        row.problems.append(f"screens showed nothing new for {row.counting_paused_s:.1f} s; "
                            f"the bound is {COUNTING_PAUSED_S_MAX:.0f} s")
    whole(stage)


def primary_node(stage):
    """Returns the node of Postgres' primary; None if there is only one instance."""
    if stage.postgres.kind != "CloudNativePG":
        return None
    return stage.kubectl.get("pod", stage.postgres.pod())["spec"]["nodeName"]


def leave_primary_node(stage):
    """Moves the load away from the primary's node, which the step drains."""
    node = primary_node(stage)
    if stage.load and stage.load.node == node:
        stage.kubectl.do("cordon", node)
        try:
            stage.end_load()
            stage.begin_load()
        finally:
            stage.kubectl.do("uncordon", node)


def cut(stage, row):
    """Disconnects a node from all others, and connects it again."""
    node = victim(stage)
    row.notes.append(f"node {node} for {AWAY_S} s")
    hook(stage.settings.cut, node)
    try:
        eventually(f"the cluster misses {node}", lambda: not node_is_ready(stage, node), 120)
        time.sleep(AWAY_S)
    finally:
        hook(stage.settings.heal, node)
    eventually(f"{node} is back", lambda: node_is_ready(stage, node), 180)
    whole(stage)


def names(stage, row):
    """Stops the cluster's DNS, and disconnects a node meanwhile. Services must reach the remaining nodes of the Redis
    Cluster at their last known addresses, and the shard's new master, too."""
    node = victim(stage)
    row.notes.append(f"no DNS, and node {node} away, for {NAMES_AWAY_S} s")
    set_dns(stage, up=False)
    try:
        hook(stage.settings.cut, node)
        try:
            time.sleep(NAMES_AWAY_S)
        finally:
            hook(stage.settings.heal, node)
    finally:
        set_dns(stage, up=True)
    eventually(f"{node} is back", lambda: node_is_ready(stage, node), 180)
    whole(stage)


def set_dns(stage, up):
    """Takes all servers away from the Service of the cluster's DNS, or gives them back."""
    patch = {"spec": {"selector": {"votestream/no-dns": None if up else "yes"}}}
    stage.kubectl.do("patch", "service/kube-dns", "--namespace", "kube-system", "--type=merge",
                     f"--patch={json.dumps(patch)}")


def whole(stage):
    """Waits until all workloads of the overlay are ready again."""
    kinds = stage.kubectl.ask("get", "statefulset,deployment", "--output", "name").split()
    stage.rolled_out(*kinds, within=600)
    eventually("all instances of Postgres are ready", stage.postgres.is_whole, 600)


def node_is_ready(stage, node):
    conditions = stage.kubectl.get("node", node)["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def hook(command, node):
    say(f"{command} {node}")
    subprocess.run([*shlex.split(command), node], check=True)
