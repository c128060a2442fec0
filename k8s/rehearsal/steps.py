"""The steps in their order, the conditions of each, and the most that each may cost voters."""

import dataclasses
from collections.abc import Callable

from . import everyday, outages
from .result import Bound

# Hardly anybody notices: a connection may end at the moment in which it is used again, and browsers try again.
UNNOTICED = Bound(longest_gap_s=3, refused_share=0.005)
# If there is only one server, it is down while its pod restarts, and voters are asked to try again.
RESTART = Bound(longest_gap_s=30)
CRASH = Bound(longest_gap_s=60)
# A third of the partitions has no master for ten seconds of the step. If clients did not find the new one, a third of all
# ballots would be answered with 503 all the time. Connections to the producer on the node that is away fail besides.
WITHOUT_NAMES = Bound(longest_gap_s=60, unavailable_share=0.1)
# The step has a load of its own, or none.
NO_LOAD = Bound(longest_gap_s=0, refused_share=0)


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the table."""

    name: str
    act: Callable
    bound: Bound
    short: bool = True
    # Returns the reason why the step cannot be done here; None if it can.
    hindrance: Callable = lambda stage: None
    # Runs before the step, and is not measured.
    prepare: Callable = lambda stage: None


def no_job(kind, name):
    return lambda stage: None if stage.kubectl.find(kind, name) else f"the overlay has no {kind} {name}"


def no_redis(stage):
    return None if stage.redis.is_here else "Redis runs outside the cluster"


def no_postgres(stage):
    return "Postgres runs outside the cluster" if stage.postgres.kind == "outside" else None


def no_dump(stage):
    return None if stage.backed_up is not None else "there is no backup to restore"


def no_made_secrets(stage):
    return None if stage.kubectl.find("secret", "postgres-owner") else "secrets come from a store"


def no_keda(stage):
    return no_postgres(stage) or (None if outages.has_keda(stage) else "KEDA does not scale the consumers")


def one_node(stage):
    return None if len(stage.kubectl.get("nodes")) > 1 else "there is one node"


def no_hook(stage):
    return one_node(stage) or (None if stage.settings.cut and stage.settings.heal else "no --cut and --heal were given")


def no_dns_stop(stage):
    if no_redis(stage) or stage.redis.replicas < 2:
        return "Redis has only one node, or runs outside the cluster"
    return no_hook(stage) or (None if stage.settings.stop_dns else "--stop-dns was not given")


STEPS = [
    Step("apply", everyday.apply, NO_LOAD),
    Step("vote", everyday.vote, UNNOTICED),
    Step("update", everyday.update, UNNOTICED),
    Step("redis", outages.restart_redis, RESTART, hindrance=no_redis),
    Step("postgres", outages.restart_postgres, UNNOTICED, hindrance=no_postgres),
    Step("kill", outages.kill, CRASH, short=False),
    Step("waiting", outages.waiting, NO_LOAD, hindrance=no_redis),
    Step("votectl", everyday.votectl, UNNOTICED),
    Step("backup", everyday.backup, UNNOTICED, hindrance=no_job("cronjob", "backup")),
    Step("restore", everyday.restore, UNNOTICED, short=False, hindrance=no_dump),
    Step("passwords", everyday.passwords, UNNOTICED, short=False, hindrance=no_made_secrets),
    Step("scale", everyday.scale, UNNOTICED, short=False),
    Step("backlog", everyday.backlog, UNNOTICED, short=False, hindrance=no_keda),
    Step("drain", outages.drain, CRASH, short=False, hindrance=one_node, prepare=outages.leave_primary_node),
    Step("cut", outages.cut, CRASH, short=False, hindrance=no_hook),
    Step("names", outages.names, WITHOUT_NAMES, short=False, hindrance=no_dns_stop),
    Step("end", everyday.end, NO_LOAD),
]
# The other steps need these.
ALWAYS = ("apply", "vote", "end")


def chosen(names, short):
    """Returns the steps to do, in their order."""
    if names:
        return [step for step in STEPS if step.name in names or step.name in ALWAYS]
    return [step for step in STEPS if step.short or not short]
