"""The deployment under rehearsal, its load, and the checks of both after each step."""

import dataclasses
import subprocess
import time

from .ballots import compare, window
from .clock import Slow, eventually, say
from .kubectl import Failed, is_ready
from .load import LoadFailed, some, steady
from .pages import Pages
from .postgres import Postgres
from .redis import Redis
from .result import Row

SERVICES = ("producer", "consumer", "dashboard")
# A container of a Job that was restarted so often will not succeed. Jobs wait for their servers inside the container.
RESTARTS_MAX = 5
# A step is over when votes were accepted for three times this many seconds without a refusal, and never with a longer gap:
# while a server is away, ballots may wait for their answers, so that nothing is refused and nothing is accepted.
GAP_S_MAX = 1.0
# Votes are accepted without Postgres, but a dashboard is not ready without it. Kubernetes asks each pod whether it is ready every
# few seconds, so that a step may otherwise be over before it asks again.
PAGES_UP_S_MAX = 60
# With few voters, a gap means nothing until so many of them could have voted.
GAP_VOTERS = 5


class Broken(Exception):
    """A promise was broken."""


class Stage:
    """The deployment under rehearsal."""

    def __init__(self, settings, kubectl, tree):
        self.settings, self.kubectl, self.tree, self.poll = settings, kubectl, tree, settings.poll
        self.votectl = tree.k8s / "votectl"
        self.pages = Pages(kubectl, self.poll)
        self.postgres, self.redis = None, None
        self.loads, self.load = [], None
        # Voters whose ballots a step has lost; each is reported once.
        self.lost = set()
        self.backed_up = None

    def look(self):
        """Finds out which servers the overlay contains; called once it is applied."""
        self.postgres = Postgres(self.kubectl, self.votectl, self.poll)
        self.redis = Redis(self.kubectl, self.tree.secrets)

    # The load.

    def begin_load(self):
        name = f"voters-{len(self.loads)}"
        self.load = steady(self.kubectl, self.poll, name, self.settings.rate)
        self.loads.append(self.load)

    def end_load(self):
        if self.load:
            load, self.load = self.load, None
            load.stop()

    def drop_load(self):
        """Ends the load of a rehearsal that stops early; its ballots are not checked."""
        if self.load:
            self.kubectl.do("delete", "pod", self.load.pod, "--wait=false", "--ignore-not-found", check=False)
            self.load = None

    def cast(self, voters):
        """Lets this many people vote, one after the other; returns their ballots, all of which must be accepted."""
        load = some(self.kubectl, self.poll, f"voters-{len(self.loads)}", voters)
        self.loads.append(load)
        load.wait(120)
        accepted = sum(ballot.accepted for ballot in load.ballots())
        if accepted != voters:
            raise Broken(f"{accepted} of {voters} ballots were accepted")
        return load

    def ballots(self, begin=0.0):
        """Returns all ballots since a time of this machine's clock."""
        return [
            dataclasses.replace(ballot, at=ballot.at + (load.behind_s or 0))
            for load in self.loads for ballot in load.ballots() if ballot.at >= load.here(begin)
        ]

    def compared(self, ballots):
        """Compares these ballots with the rows; returns None while Postgres does not answer."""
        try:
            return compare(ballots, self.postgres.rows(ballots))
        except (Failed, subprocess.TimeoutExpired, LookupError):
            return None

    def all_counted(self):
        """Waits until every ballot that is accepted by now is a row, and returns those ballots."""
        now = [ballot for ballot in self.ballots() if ballot.accepted and ballot.voter not in self.lost]
        eventually("everybody is counted", lambda: (found := self.compared(now)) and not found.lost, 60)
        return now

    def is_calm(self):
        gap_s_max = max(GAP_S_MAX, GAP_VOTERS / self.settings.rate)
        end = time.time()
        begin = end - 3 * gap_s_max
        recent = window(self.ballots(begin), begin, end)
        return not recent.refused and recent.longest_gap_s <= gap_s_max

    # A step.

    def play(self, step):
        """Does a step, compares the voters' answers with its bounds, and their ballots with the rows."""
        name, bound = step.name, step.bound
        say(f"{name} …")
        row, begin = Row(name), time.time()
        try:
            step.prepare(self)
            begin = time.time()
            step.act(self, row)
            if self.load:
                eventually("votes are accepted again without a refusal or a gap", self.is_calm, bound.longest_gap_s + 60)
            eventually("every page has a ready pod", self.pages.are_up, PAGES_UP_S_MAX)
        except (Broken, Slow, Failed, LoadFailed, LookupError, subprocess.TimeoutExpired) as error:
            row.problems.append(str(error))
        end = time.time()
        try:
            if self.load and not self.load.is_running():
                raise LoadFailed(f"the load ended by itself: {' '.join(self.load.words)[-300:]}")
            self._measure(row, begin, end, bound)
            self._count(row, end, bound)
            row.problems += self.pages.problems()
        except (Broken, Slow, Failed, LoadFailed, subprocess.TimeoutExpired) as error:
            row.problems.append(str(error))
        say(f"{name}: {row.votes} votes, {row.refused} refused, longest gap {row.longest_gap_s:.1f} s, "
            f"{row.lost} lost, counted after {row.counted_s:.1f} s" + "".join(f"; {note}" for note in row.notes))
        for problem in row.problems:
            say(f"{name}: FAILED: {problem}")
        return row

    def _measure(self, row, begin, end, bound):
        row.seconds = end - begin
        if not self.loads:
            return
        ballots = [ballot for ballot in self.ballots(begin) if ballot.at <= end]
        met = window(ballots, begin, end)
        row.votes, row.refused, row.outcomes = met.votes, met.refused, met.outcomes
        # If nobody was to vote for a while, there is no gap to report.
        if bound.longest_gap_s:
            row.longest_gap_s = met.longest_gap_s
        row.problems += bound.passed_by(row)

    def _count(self, row, end, bound):
        """Waits until every ballot accepted so far is a row; ballots that are still missing at the deadline are lost."""
        if not self.loads:
            return
        ballots = [ballot for ballot in self.ballots() if ballot.at <= end and ballot.voter not in self.lost]
        while True:
            comparison = self.compared(ballots)
            row.counted_s = time.time() - end
            if comparison and not comparison.lost or row.counted_s > bound.counted_s:
                break
            time.sleep(1)
        if comparison is None:
            raise Broken(f"the votes could not be read for {row.counted_s:.0f} s")
        row.lost = len(comparison.lost)
        self.lost.update(comparison.lost)
        if not comparison.holds:
            raise Broken(str(comparison))

    def samples(self):
        """Returns the first few unexpected answers of each load, unchanged."""
        return [text for load in self.loads for text in (load.report or {}).get("samples", [])]

    # Conditions that steps wait for.

    def rolled_out(self, *kinds, within=300):
        for kind in kinds or [f"deployment/{name}" for name in SERVICES]:
            self.kubectl.ask("rollout", "status", kind, f"--timeout={within}s", timeout=within + 30)

    def completed(self, job, within):
        """Waits until a Job is complete; a failed one is reported at once."""
        def ended():
            for pod in self.kubectl.get("pods", "--selector", f"batch.kubernetes.io/job-name={job}"):
                status = pod["status"]
                for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
                    if container["restartCount"] >= RESTARTS_MAX:
                        log = self.kubectl.ask("logs", pod["metadata"]["name"], "--container", container["name"],
                                               "--tail=5", check=False)
                        raise Broken(f"job {job} fails again and again: {log[-1500:]}")
            conditions = self.kubectl.get("job", job)["status"].get("conditions", [])
            return [c for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"]
        condition = eventually(f"job {job} ends", ended, within)[0]
        if condition["type"] == "Failed":
            log = self.kubectl.ask("logs", f"job/{job}", "--all-containers", "--tail=20", check=False)
            raise Broken(f"job {job} failed: {condition.get('message')}: {log[-1500:]}")

    def replaced(self, pod, uid, within=180):
        """Waits until another pod of that name is ready."""
        def is_new():
            found = self.kubectl.find("pod", pod)
            return found and found["metadata"]["uid"] != uid and is_ready(found)
        eventually(f"{pod} is back and ready", is_new, within)

    def uid(self, pod):
        return self.kubectl.get("pod", pod)["metadata"]["uid"]
