"""Runs every check on every deployment, and then tests the checks with planted mistakes."""

import pathlib
import sys
import time

import yaml

from . import (
    clouds,
    copies,
    mistakes,
    network,
    placement,
    policy,
    references,
    rehearsals,
    render,
    room,
    schemas,
    scripts,
    security,
    settings,
    style,
    tools,
)

CHECKS = [schemas, references, network, policy, placement, room, clouds, copies, settings]


def main(arguments):
    started = time.monotonic()
    if arguments[:1] == ["copy"]:
        copies.write()
        return 0
    deployments = render.all_deployments()
    overlays = [d for d in deployments if "+" not in d.name]
    tell(started, f"rendered {len(overlays)} overlays, {len(deployments) - len(overlays)} combinations")
    if arguments[:1] == ["render"]:
        for deployment in overlays:
            target = pathlib.Path(arguments[1]) / f"{deployment.name}.yaml"
            target.write_text(yaml.safe_dump_all(deployment.objects, sort_keys=False))
        return 0
    problems = []
    for module in CHECKS:
        found = [f"{d.name}: {p}" for d in deployments for p in module.check(d)]
        problems += found
        tell(started, f"{module.__name__.split('.')[1]}: {len(found)} problems")
    scanned = overlays + render.beside_overlays(deployments)
    for name, run in (
        ("style", style.check),
        ("scripts", scripts.check),
        ("tools", tools.check),
        ("rehearsal", rehearsals.check),
        ("checkov", lambda: security.check(scanned)),
    ):
        found = run()
        problems += found
        tell(started, f"{name}: {len(found)} problems")
    named = {component: d for d in scanned for component in d.components} | {d.name: d for d in overlays}
    unnoticed, planted = mistakes.check(named, CHECKS)
    in_readmes, number = tools.mistakes()
    unnoticed, planted = unnoticed + in_readmes, planted + number
    problems += unnoticed
    tell(started, f"{planted - len(unnoticed)} of {planted} planted mistakes were noticed")
    for problem in problems[:200]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def tell(started, text):
    print(f"k8s: {text} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
