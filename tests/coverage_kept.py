"""Whether all tests together reached the lines they must: `python -m tests.coverage_kept <file> [<note>]`.

The note, where there is such a file, says how many tests a run did not get to: then its lines prove nothing.

The file is Slipcover's: lines are counted by code that takes itself out once it was reached, because tracing
every line takes as long as the tests do. Servers that tests start as processes of their own are not counted.
"""

import json
import sys
from pathlib import Path
from typing import Final, NamedTuple

KEPT: Final = {"domain": 95.0, "": 90.0}
"""Percent of the lines in a room; of all rooms under the empty name."""
SHOWN_MAX: Final = 25


class Reached(NamedTuple):
    """How many lines there are, and how many were reached."""

    lines: int
    reached: int

    @property
    def percent(self) -> float:
        return 100.0 * self.reached / self.lines if self.lines else 100.0

    def plus(self, other: "Reached") -> "Reached":
        return Reached(self.lines + other.lines, self.reached + other.reached)


def by_room(files: dict[str, Reached]) -> dict[str, Reached]:
    """Sums per room, and under the empty name of all."""
    rooms = {"": Reached(0, 0)}
    for file, found in files.items():
        room = Path(file).parts[0]
        rooms[room] = rooms.get(room, Reached(0, 0)).plus(found)
        rooms[""] = rooms[""].plus(found)
    return rooms


def too_low(rooms: dict[str, Reached]) -> list[str]:
    """What is below what must be kept; a room without any line is, too."""
    return [
        f"{room or 'all'}: {rooms.get(room, Reached(1, 0)).percent:.2f} %, and {least:g} % must be kept"
        for room, least in KEPT.items()
        if rooms.get(room, Reached(1, 0)).percent < least or not rooms.get(room, Reached(1, 0)).lines
    ]


def read(file: Path) -> dict[str, Reached]:
    """What Slipcover found, per file."""
    found = json.loads(file.read_text())["files"]
    return {
        name: Reached(len(one["executed_lines"]) + len(one["missing_lines"]), len(one["executed_lines"]))
        for name, one in found.items()
    }


def main(arguments: list[str]) -> int:
    """Prints what was reached; returns 1 if that is too little."""
    files = read(Path(arguments[0]))
    worst = sorted(files, key=lambda name: files[name].reached - files[name].lines)[:SHOWN_MAX]
    for name in worst:
        missing = files[name].lines - files[name].reached
        print(f"{files[name].percent:6.1f} %  {missing:4} lines not reached  {name}")
    rooms = by_room(files)
    for room in sorted(rooms, reverse=True):
        print(f"{rooms[room].percent:6.2f} %  {room or 'all'}")
    if len(arguments) > 1 and Path(arguments[1]).exists():
        print(f"NOT JUDGED: {Path(arguments[1]).read_text()} tests were not run, which may reach more")
        return 0
    problems = too_low(rooms)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
