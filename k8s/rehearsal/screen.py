"""Watches the results as a screen does: reads the frames of a dashboard's event stream, and when each arrived."""

import http.client
import json
import re
import threading
import time


class Screen:
    """Watches one dashboard until the block ends, through a forwarded port."""

    def __init__(self, kubectl, pod, port, poll):
        self.kubectl, self.pod, self.port, self.poll = kubectl, pod, port, poll
        self._frames, self._forward = [], None

    def __enter__(self):
        self._forward = self.kubectl.start("port-forward", f"pod/{self.pod}", f":{self.port}")
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._forward.terminate()
        self._forward.wait()
        self._forward.stdout.close()

    def _read(self):
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", self._forward.stdout.readline())
            if not found:
                return
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]))
            connection.request("GET", f"/api/polls/{self.poll}/events", headers={"Accept": "text/event-stream"})
            for line in connection.getresponse():
                voters = voters_of(line)
                if voters is not None:
                    self._frames.append((time.time(), voters))
        except (OSError, ValueError, http.client.HTTPException):
            return

    def new_figure(self, since):
        """Returns the time from `since` on at which the screen first showed more voters than before; None if not yet."""
        return new_figure(list(self._frames), since)

    def longest_pause(self, begin, end):
        """Returns the longest time between `begin` and `end` in which the number of voters did not grow."""
        return longest_pause(list(self._frames), begin, end)


def voters_of(line):
    """Returns the number of voters in a line of the stream; None for other lines."""
    if not line.startswith(b"data:"):
        return None
    try:
        return json.loads(line.removeprefix(b"data:")).get("voters")
    except (ValueError, AttributeError):
        return None


def new_figure(frames, since):
    shown = max((voters for at, voters in frames if at < since), default=None)
    if shown is None:
        return None
    return next((at for at, voters in frames if at >= since and voters > shown), None)


def longest_pause(frames, begin, end):
    moments, shown = [begin], -1
    for at, voters in frames:
        if voters > shown:
            shown = voters
            if begin < at < end:
                moments.append(at)
    return max(after - before for before, after in zip(moments, [*moments[1:], end]))


class Answers:
    """Queries a server until the block ends, to measure since when it answers again."""

    def __init__(self, ask):
        self._ask, self._ended = ask, threading.Event()
        # The start of the first successful query after a failed one.
        self.since = None

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        away = False
        while not self._ended.is_set() and not self.since:
            began = time.time()
            if self._ask():
                self.since = began if away else None
            else:
                away = True
            time.sleep(0.05)
