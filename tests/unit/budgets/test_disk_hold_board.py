"""The board of open holds on the disk: torn places, full disks, kills, power cuts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.disk.board_format import BOARD_FILE, GROUPS_FILE, PLACE_SIZE_BYTES, machine_start, read_board
from adapters.disk.hold_board import DiskHoldBoard
from application.ports.hold_board import AbandonedHolds, HoldGroup
from domain.errors import StoreUnavailable

GROUP = HoldGroup("hold_one", "hold_one", ("acc_one",), ())
ROOT = Path(__file__).parents[3]


def board_in(folder: Path, **options: object) -> DiskHoldBoard:
    folder.mkdir(exist_ok=True)
    board = DiskHoldBoard(**options)  # type: ignore[arg-type]
    board.open(folder)
    return board


def found_in(folder: Path, *, lossy: bool = False, started: str | None = None) -> AbandonedHolds:
    found = read_board(folder, started=machine_start() if started is None else started, lossy=lossy)
    assert found is not None
    return found


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def test_a_board_nobody_used_leaves_no_file(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.rows_at_risk(True)
    board.sync()
    board.close()

    assert list(tmp_path.iterdir()) == []


def test_a_clean_end_leaves_nothing(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    board.clear(board.put("req_1.1", 1, GROUP))
    board.sync()
    board.retire("hold_one")

    board.close()
    board.close()

    assert list(tmp_path.iterdir()) == []


def test_what_was_not_given_back_at_the_end_is_found(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    board.close()

    assert found_in(tmp_path) == AbandonedHolds(("hold_one",), [])


def test_a_closed_board_takes_nothing_and_minds_nothing(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    place = board.put("req_1.1", 1, GROUP)
    board.close()

    with pytest.raises(StoreUnavailable):
        board.put("req_2.1", 1, GROUP)
    with pytest.raises(StoreUnavailable):
        board.announce("hold_two")
    board.clear(place)
    board.retire("hold_one")
    board.rows_at_risk(True)


@given(torn_at=st.integers(0, PLACE_SIZE_BYTES - 1), noise=st.integers(1, 255))
def test_a_torn_place_is_as_good_as_free_and_harms_no_other(
    tmp_path_factory: pytest.TempPathFactory, torn_at: int, noise: int
) -> None:
    folder = tmp_path_factory.mktemp("board")
    board = board_in(folder)
    board.announce("hold_one")
    board.put("req_1.1", 1, GROUP)
    place = board.put("req_2.1", 2, GROUP)
    content = (folder / BOARD_FILE).read_bytes()
    offset = place * PLACE_SIZE_BYTES + torn_at

    overwrite(folder / BOARD_FILE, offset, bytes([content[offset] ^ noise]))

    found = found_in(folder)
    assert [hold.attempt_id for hold in found.holds] == ["req_1.1"]
    assert not found.damaged
    board.close()


def test_two_torn_places_are_damage(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    for number in range(2):
        place = board.put(f"req_{number}.1", 1, GROUP)
        overwrite(tmp_path / BOARD_FILE, place * PLACE_SIZE_BYTES + 20, b"\xff\xff")

    assert found_in(tmp_path).damaged


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\0" * 4096, b"IXHOLDS\nrest"])
def test_what_is_no_board_is_damage(tmp_path: Path, content: bytes) -> None:
    board_in(tmp_path).announce("hold_one")
    (tmp_path / BOARD_FILE).write_bytes(content)

    found = found_in(tmp_path)

    assert found.damaged
    assert found.holders == ("hold_one",)


def test_a_lost_board_file_is_damage(tmp_path: Path) -> None:
    board_in(tmp_path).announce("hold_one")
    (tmp_path / BOARD_FILE).unlink()

    assert found_in(tmp_path).damaged


def test_half_a_line_at_the_end_is_what_dying_leaves(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    board.put("req_1.1", 1, GROUP)
    with (tmp_path / GROUPS_FILE).open("ab") as file:
        file.write(b'{"group": 2, "hol')

    found = found_in(tmp_path)

    assert len(found.holds) == 1
    assert not found.damaged


def test_a_line_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    board_in(tmp_path).announce("hold_one")
    with (tmp_path / GROUPS_FILE).open("ab") as file:
        file.write(b"\0\0\0\0\n")

    assert found_in(tmp_path).damaged


def test_a_hold_of_a_group_nobody_knows_is_damage(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.announce("hold_one")
    board.put("req_1.1", 1, GROUP)
    lines = (tmp_path / GROUPS_FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / GROUPS_FILE).write_bytes(b"".join(lines[:-1]))

    assert found_in(tmp_path).damaged


def test_after_a_power_cut_and_after_lost_rows_leases_are_not_given_back(tmp_path: Path) -> None:
    board = board_in(tmp_path, started=lambda: "start-1")
    board.announce("hold_one")
    board.put("req_1.1", 1, GROUP)

    assert not found_in(tmp_path, started="start-1").damaged
    assert found_in(tmp_path, started="start-2").damaged
    assert len(found_in(tmp_path, started="start-2").holds) == 1
    assert found_in(tmp_path, started="start-1", lossy=True).damaged


def test_a_death_while_rows_are_in_memory_only_is_damage(tmp_path: Path) -> None:
    board = board_in(tmp_path)
    board.rows_at_risk(True)
    board.announce("hold_one")
    assert found_in(tmp_path).damaged

    board.rows_at_risk(False)
    assert not found_in(tmp_path).damaged

    board.rows_at_risk(True)
    assert found_in(tmp_path).damaged


def test_a_disk_without_room_for_places_refuses_and_recovers(tmp_path: Path) -> None:
    full = True

    def reserve(descriptor: int, start: int, size: int) -> None:
        if full:
            raise OSError(28, "No space left on device")
        os.posix_fallocate(descriptor, start, size)

    board = board_in(tmp_path, places_first=2, reserve=reserve)
    with pytest.raises(StoreUnavailable):
        board.announce("hold_one")
    assert read_board(tmp_path, started=machine_start()) is None
    full = False
    board.announce("hold_one")
    places = [board.put(f"req_{number}.1", 1, GROUP) for number in range(2)]

    full = True
    with pytest.raises(StoreUnavailable):
        board.put("req_3.1", 1, GROUP)
    board.clear(places[0])
    board.put("req_4.1", 1, GROUP)

    assert {hold.attempt_id for hold in found_in(tmp_path).holds} == {"req_1.1", "req_4.1"}


def test_a_disk_without_room_for_lines_refuses_and_recovers(tmp_path: Path) -> None:
    room = 10_000

    def write(descriptor: int, content: bytes) -> int:
        return os.write(descriptor, content[:room])

    board = board_in(tmp_path, write=write)
    board.announce("hold_one")
    room = 7
    with pytest.raises(StoreUnavailable):
        board.put("req_1.1", 1, GROUP)
    room = 10_000
    board.put("req_2.1", 2, GROUP)

    found = found_in(tmp_path)
    assert [hold.attempt_id for hold in found.holds] == ["req_2.1"]
    assert not found.damaged


def test_lines_nobody_refers_to_are_left_out_in_time(tmp_path: Path) -> None:
    board = board_in(tmp_path, groups_size_bytes_max=2000)
    board.announce("hold_one")
    kept = board.put("long " * 50, 5, HoldGroup("hold_one", "hold_one", ("acc_kept",), ()))
    for number in range(500):
        group = HoldGroup("hold_one", "hold_one", (f"acc_{number}",), ())
        board.clear(board.put(f"req_{number}.1" + "x" * 120 * (number % 2), number, group))
    last = board.put("req_last.1", 6, group)

    found = found_in(tmp_path)

    assert (tmp_path / GROUPS_FILE).stat().st_size < 6000
    assert {(hold.attempt_id, hold.group.leased) for hold in found.holds} == {
        ("long " * 50, ("acc_kept",)),
        ("req_last.1", ("acc_499",)),
    }
    assert found.holders == ("hold_one",)
    assert not found.damaged
    board.clear(kept)
    board.clear(last)
    board.retire("hold_one")
    board.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after_lines", [3, 40, 1200])
def test_a_killed_process_leaves_exactly_what_it_had_not_cleared(tmp_path: Path, after_lines: int) -> None:
    """The child tells what it put after putting it, and what it clears before clearing it; it is killed in
    the middle of that, so one hold may be either."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.budgets.board_child", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(after_lines)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines(keepends=True)
    finally:
        child.kill()
        child.wait()
    put, cleared = told(lines)

    found = found_in(tmp_path)

    there = {hold.attempt_id for hold in found.holds}
    assert not found.damaged
    assert put - cleared <= there
    assert len(there - (put - cleared)) <= 1
    assert all(hold.held_nano_usd == len(hold.attempt_id) for hold in found.holds)


def told(lines: list[bytes]) -> tuple[set[str], set[str]]:
    words: Callable[[bytes], set[str]] = lambda verb: {  # noqa: E731
        line.split()[1].decode() for line in lines if line.startswith(verb) and line.endswith(b"\n")
    }
    return words(b"put"), words(b"clear")
