"""The steps in their order, what each needs, and what each may cost voters."""

import dataclasses
from collections.abc import Callable

from . import everyday, outages
from .result import Bound

# Hardly anybody notices: a connection may end in the moment in which it is used again, and browsers try again.
UNNOTICED = Bound(longest_gap_s=3, refused_share=0.005)
# A server that there is one of is away while its pod starts anew: voters are told to try again.
RESTART = Bound(longest_gap_s=30)
CRASH = Bound(longest_gap_s=60)
# The load is another one, or none.
NO_LOAD = Bound(longest_gap_s=0, refused_share=0)


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the table."""

    name: str
    act: Callable
    bound: Bound
    short: bool = True
    # Why it cannot be done here; nothing when it can.
    hindrance: Callable = lambda stage: None
    # What comes before it and is not measured.
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
    if no_postgres(stage):
        return no_postgres(stage)
    return None if outages.has_keda(stage) else "KEDA does not scale the consumers"


def one_node(stage):
    return None if len(stage.kubectl.get("nodes")) > 1 else "there is one node"


def no_hook(stage):
    return one_node(stage) or (None if stage.settings.cut and stage.settings.heal else "no --cut and --heal were given")


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
    Step("end", everyday.end, NO_LOAD),
]
# Without these there is nothing to do the others with.
ALWAYS = ("apply", "vote", "end")


def chosen(names, short):
    """The steps to do, in their order."""
    if names:
        return [step for step in STEPS if step.name in names or step.name in ALWAYS]
    return [step for step in STEPS if step.short or not short]
