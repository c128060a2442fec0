"""The answers that the load got to its ballots, and the checks that follow from them.

Times are Unix times in seconds of the load's own clock. An accepted ballot must be counted. A ballot that was not accepted
may be counted nevertheless, if only its answer was lost.
"""

import dataclasses
import json
import threading

ACCEPTED = "acknowledged"
# With these outcomes no ballot was sent, so none may be counted.
UNSENT = ("not_connected", "no_page")


@dataclasses.dataclass(frozen=True)
class Ballot:
    """One line of the load tester's journal."""

    number: int
    at: float
    voter: str | None
    outcome: str
    choices: int | None

    @property
    def accepted(self):
        return self.outcome == ACCEPTED


def parse(line):
    """Returns the ballot of a journal's line; None for other output."""
    if not line.startswith('{"number":'):
        return None
    try:
        told = json.loads(line)
    except ValueError:  # the end of the line was lost
        return None
    return Ballot(told["number"], told["at_ms"] / 1000, told["voter"], told["outcome"], told["choices"])


class Journal:
    """The ballots of one load, as they arrive. A line that arrives twice counts once."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ballots = {}

    def add(self, line):
        ballot = parse(line)
        if ballot is not None:
            with self._lock:
                self._ballots.setdefault(ballot.number, ballot)
        return ballot is not None

    def ballots(self):
        with self._lock:
            return list(self._ballots.values())

    def missing(self):
        """Returns how many lines are lost: numbers below the highest that never arrived."""
        with self._lock:
            return max(self._ballots, default=0) - len(self._ballots)


@dataclasses.dataclass(frozen=True)
class Window:
    """The answers that voters got between two moments."""

    votes: int
    refused: int
    longest_gap_s: float
    outcomes: dict


def window(ballots, begin, end):
    """Counts the ballots of a step, and the longest time in it without an accepted one."""
    inside = [ballot for ballot in ballots if begin <= ballot.at <= end]
    outcomes = {}
    for ballot in inside:
        outcomes[ballot.outcome] = outcomes.get(ballot.outcome, 0) + 1
    votes = outcomes.get(ACCEPTED, 0)
    moments = sorted(ballot.at for ballot in inside if ballot.accepted)
    gap = max((after - before for before, after in zip([begin, *moments], [*moments, end])), default=0.0)
    return Window(votes, len(inside) - votes, gap, outcomes)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The differences between ballots and rows. Each field is a list of voters."""

    lost: list
    twice: list
    changed: list
    invented: list

    @property
    def holds(self):
        return not (self.lost or self.twice or self.changed or self.invented)

    def __str__(self):
        told = [f"{len(voters)} {name} ({', '.join(voters[:3])}{', …' if len(voters) > 3 else ''})"
                for name, voters in dataclasses.asdict(self).items() if voters]
        return ", ".join(told) or "every accepted ballot is counted once"


def compare(ballots, rows, complete=False):
    """Compares every accepted ballot with the rows, which are pairs of voter and choices; choices may be None.

    `complete`: the journal has all ballots there were, so that a row of a voter whom it does not know is
    invented. As many of them are allowed as there are ballots whose voter never learnt their name.
    """
    counted, twice = {}, []
    for voter, choices in rows:
        if voter in counted:
            twice.append(voter)
        counted[voter] = choices
    accepted = {ballot.voter: ballot for ballot in ballots if ballot.accepted}
    lost = [voter for voter in accepted if voter not in counted]
    # Compare choices only if the rows have them.
    changed = [voter for voter, ballot in accepted.items() if counted.get(voter) not in (None, ballot.choices)]
    invented = []
    if complete:
        sent = [ballot for ballot in ballots if ballot.outcome not in UNSENT]
        known = {ballot.voter for ballot in sent}
        strangers = sorted(counted.keys() - known)
        nameless = sum(ballot.voter is None and not ballot.accepted for ballot in sent)
        invented = strangers[nameless:]
    return Comparison(sorted(map(str, lost)), sorted(twice), sorted(changed), invented)
