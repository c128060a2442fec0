"""Prints progress with times, and waits with a deadline."""

import sys
import time

_started = time.monotonic()


class Slow(Exception):
    """A condition did not become true before its deadline."""


def say(text):
    print(f"{time.monotonic() - _started:7.1f} s  {text}", file=sys.stderr, flush=True)


def eventually(what, ask, within, every=0.5):
    """Calls `ask` until it returns a true value, and returns that; raises `Slow` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        told = ask()
        if told:
            return told
        if time.monotonic() > deadline:
            raise Slow(f"{what}: not within {within:.0f} s")
        time.sleep(every)
