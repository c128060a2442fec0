"""Checks that the services' own code accepts every variable and argument of the manifests."""

import functools
import os
import pathlib
import re
import subprocess
import tempfile

from .deployment import containers, environment, secret_value, title

PROGRAMS = pathlib.Path(os.environ["PROGRAMS"])
OURS = re.compile(r"(?:^|/)votestream/(\w+)(?:[:@].*)?$")
SERVICES = ("producer", "consumer", "dashboard", "host", "canary")
# Replace values that only a cluster or a secret store knows.
STAND_INS = {
    "redis-url": "rediss://user:password@redis.example.com:6379",
    "database-url": "postgres://user:password@postgres.example.com/votestream",
    "cookie-keys": "ab" * 32,
    "signing-keys": "vote.example.org " + "cd" * 32,
    "ca.crt": (pathlib.Path(__file__).parent / "authority.pem").read_text(),
}


def check(deployment):
    problems = []
    for obj, template in deployment.workloads:
        volumes = {v["name"]: v.get("secret", {}).get("secretName") for v in template["spec"].get("volumes", [])}
        for container in containers(template):
            ours = OURS.search(container["image"])
            if not ours:
                continue
            known, unknown = environment(deployment, container)
            files = {}
            for name, value in known.items():
                if name.endswith("_FILE"):
                    files[name] = content(deployment, container, volumes, value)
            found = of_program(
                ours[1], tuple(container.get("args", [])), tuple(sorted(known.items())),
                tuple(sorted(unknown)), tuple(sorted(files.items())),
            )
            problems += [f"{title(obj)}: {container['name']}: {problem}" for problem in found]
    return problems + list(partitions(deployment))


def partitions(deployment):
    """Checks that KEDA watches as many streams as `votectl migrate` makes."""
    words = deployment.get("Job", "migrate")["spec"]["template"]["spec"]["initContainers"][0]["args"]
    said = re.search(r"--partitions[= ](\d+)", " ".join(words))
    made = int(said[1] if said else default_partitions())
    for obj in deployment.of("ScaledObject"):
        triggers = [trigger["metadata"] for trigger in obj["spec"]["triggers"]]
        asked = sorted(trigger.get("stream", "no stream") for trigger in triggers)
        if asked != sorted(f"{{votes:{number}}}:stream" for number in range(made)):
            yield f"{title(obj)}: its triggers are of {asked}, and there are {made} partitions"
        for trigger in triggers:
            # With a consumer group, KEDA would read pending entries or lag, which Redis may not know.
            if "streamLength" not in trigger or "consumerGroup" in trigger:
                yield f"{title(obj)}: a trigger asks for something else than a stream's length: {trigger}"


@functools.lru_cache(None)
def default_partitions():
    return re.search(r"\[default at first: (\d+)\]", run(["votectl", "migrate", "--help"], {}).stdout)[1]


def content(deployment, container, volumes, path):
    """Returns the content of a mounted file; None if nothing is mounted there."""
    folder, _, name = path.rpartition("/")
    for mount in container["volumeMounts"]:
        if mount["mountPath"] == folder:
            value = secret_value(deployment, volumes[mount["name"]], name)
            return value if value is not None else STAND_INS[name]
    return None


@functools.lru_cache(None)
def variables(program, subcommand):
    text = run([program, *subcommand, "--help"], {}).stdout
    return set(re.findall(r"\[env:\s+(\w+)=", text))


def run(command, env):
    binary = PROGRAMS / command[0]
    if not binary.exists():
        raise SystemExit(f"k8s: {binary} is not built: cargo build --workspace --bins")
    return subprocess.run([binary, *command[1:]], env=env, capture_output=True, text=True, timeout=60)


@functools.lru_cache(None)
def of_program(program, args, known, unknown, files):
    problems = []
    words = []
    for word in args:
        if word.startswith("-"):
            break
        words.append(word)
    names = variables(program, tuple(words))
    for name in sorted({*dict(known), *unknown} - names):
        problems.append(f"{program} knows no variable {name}")
    # Kubernetes replaces $(NAME); the pods of an indexed Job are numbered from 0.
    real = [re.sub(r"\$\(\w+\)", "0", word) for word in args]
    done = run([program, *real, "--help"], {})
    if done.returncode:
        problems.append(f"{program} refuses its arguments: {done.stderr.strip()}")
    for name, text in files:
        if text is None:
            problems.append(f"{name} names a file where nothing is mounted")
    if program in SERVICES and not problems:
        with tempfile.TemporaryDirectory() as folder:
            env = {**dict(known), **{name: "a-pod" for name in unknown}}
            for name, text in files:
                env[name] = f"{folder}/{name}"
                pathlib.Path(env[name]).write_text(text)
            done = run([program, "--check-config"], env)
        if done.returncode:
            problems.append(f"{program} refuses its settings: {done.stderr.strip()[-600:]}")
    return problems
