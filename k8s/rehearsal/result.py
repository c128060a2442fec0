"""Makes the table, the JSON, and the exit code."""

import dataclasses

EXIT_KEPT, EXIT_BROKEN, EXIT_USAGE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Bound:
    """The most that a step may cost voters. Every accepted ballot must be counted in any case."""

    # The longest time in which nobody's ballot is accepted; 0 where it is not measured.
    longest_gap_s: float
    # The share of ballots that are not accepted; None: only the gap is bounded.
    refused_share: float | None = None
    # The share of ballots that a service answered with 503, whatever the network did to the others; None: no bound.
    unavailable_share: float | None = None
    # The time from the end of the step until every accepted ballot is a row.
    counted_s: float = 60.0

    def passed_by(self, row):
        """Returns, in words, the bounds that the row exceeds."""
        sent = row.votes + row.refused
        if self.refused_share is not None and row.refused > self.refused_share * sent:
            yield f"{row.refused} of {sent} ballots were not accepted; the bound is {self.refused_share:.1%}: {row.outcomes}"
        unavailable = row.outcomes.get("unavailable", 0)
        if self.unavailable_share is not None and unavailable > self.unavailable_share * sent:
            yield f"{unavailable} of {sent} ballots were answered 503; the bound is {self.unavailable_share:.1%}"
        if self.longest_gap_s and row.longest_gap_s > self.longest_gap_s:
            yield f"no ballot was accepted for {row.longest_gap_s:.1f} s; the bound is {self.longest_gap_s:.0f} s"


@dataclasses.dataclass
class Row:
    """The result of a step."""

    step: str
    seconds: float = 0.0
    votes: int = 0
    refused: int = 0
    longest_gap_s: float = 0.0
    lost: int = 0
    counted_s: float = 0.0
    # From the database's first answer to a new figure on screens, where a step measures it.
    first_figure_s: float | None = None
    # The longest time in which screens showed no new figure, where a step measures it.
    counting_paused_s: float | None = None
    outcomes: dict = dataclasses.field(default_factory=dict)
    # Remarks of the step, and problems.
    notes: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    skipped: str | None = None
    # Whether people voted during this step.
    voted: bool = True


COLUMNS = [
    ("step", lambda row: row.step),
    ("seconds", lambda row: f"{row.seconds:.0f}"),
    ("votes", lambda row: f"{row.votes}"),
    ("refused", lambda row: f"{row.refused}"),
    ("longest gap, s", lambda row: f"{row.longest_gap_s:.1f}"),
    ("lost", lambda row: f"{row.lost}"),
    ("", lambda row: "FAILED" if row.problems else "; ".join(row.notes)),
]


def table(rows):
    """Returns a table in Markdown that is readable as plain text, and the problems below it."""
    cells = [[name for name, _ in COLUMNS]]
    for row in rows:
        shown = [show(row) for _, show in COLUMNS]
        if row.skipped:
            shown[-1] = f"not done: {row.skipped}"
        if row.skipped or not row.voted:
            shown[1:-1] = [""] * len(shown[1:-1])
        cells.append(shown)
    widths = [max(len(line[at]) for line in cells) for at in range(len(COLUMNS))]
    # Align words to the left, numbers to the right.
    words = (0, len(COLUMNS) - 1)
    cells.insert(1, [("-" * width if at in words else "-" * (width - 1) + ":")
                     for at, width in enumerate(widths)])
    lines = ["| " + " | ".join(
        cell.ljust(width) if at in words else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(line, widths))) + " |" for line in cells]
    lines += [f"{row.step}: {problem}" for row in rows for problem in row.problems]
    return "\n".join(lines)


def report(overlay, facts, rows):
    """Returns the object that --json writes. Fields may be added, but never renamed or given another unit."""
    return {
        "schema_version": 1, "overlay": overlay, "kept": not any(row.problems for row in rows), **facts,
        "steps": [dataclasses.asdict(row) for row in rows],
    }


def exit_code(rows):
    """Returns 0 if at least one step ran, every promise was kept and no bound was exceeded."""
    done = [row for row in rows if not row.skipped]
    return EXIT_KEPT if done and not any(row.problems for row in done) else EXIT_BROKEN
