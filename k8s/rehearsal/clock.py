"""Progress with times, and waiting with a deadline."""

import sys
import time

_started = time.monotonic()


class Slow(Exception):
    """Something did not become true in its time."""


def say(text):
    print(f"{time.monotonic() - _started:7.1f} s  {text}", file=sys.stderr, flush=True)


def eventually(what, ask, within, every=0.5):
    """The first truth that `ask` tells; `Slow` when there is none in `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        told = ask()
        if told:
            return told
        if time.monotonic() > deadline:
            raise Slow(f"{what}: not within {within:.0f} s")
        time.sleep(every)
