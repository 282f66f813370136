"""A process that puts holds on a board and clears some, telling what it does, until it is killed."""

import os
import sys
from itertools import count
from pathlib import Path

from adapters.disk.hold_board import DiskHoldBoard
from application.ports.hold_board import HoldGroup


def main(folder: Path) -> None:
    board = DiskHoldBoard(places_first=16, groups_size_bytes_max=4000)
    board.open(folder)
    board.announce("hold_one")
    places: list[tuple[str, int]] = []
    for number in count():
        attempt_id = f"req_{number}." + "x" * (200 * (number % 5 == 0))
        group = HoldGroup("hold_one", "hold_one", (f"acc_{number % 7}",), ())
        place = board.put(attempt_id, len(attempt_id), group)
        os.write(1, f"put {attempt_id}\n".encode())
        places.append((attempt_id, place))
        if len(places) > 20 + number % 50:
            cleared, place = places.pop(number % len(places))
            os.write(1, f"clear {cleared}\n".encode())
            board.clear(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
