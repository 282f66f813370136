"""From the folder of a dead process into the ledger, interrupted anywhere."""

import logging
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from adapters.disk.board_recovery import BoardRecovery
from adapters.disk.hold_board import DiskHoldBoard
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.system import SteppingClock
from application.ports.hold_board import AbandonedHolds, HoldGroup, OpenHold
from application.use_cases.recover_holds import RecoverHolds
from contracts.ports.ledger_world import USD, Process, account
from contracts.ports.usage import usage_event
from domain.errors import StoreUnavailable
from tests.contract.sql_world import SqlWorld
from tests.unit.sql._journals import log_of, rows_of

DAILY = account(limit=10 * USD)
GROUP = HoldGroup("hold_one", "hold_one", (DAILY.account_id,), ())


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    world = SqlWorld(tmp_path)
    yield world
    await world.aclose()


class World:
    """A ledger, and a usage log whose dead neighbours are recovered into it."""

    def __init__(self, sql: SqlWorld, ledger: InMemoryLedger) -> None:
        self.sql = sql
        self.ledger = ledger
        self.recover = BoardRecovery(RecoverHolds([ledger], SteppingClock()))

    @property
    def folders(self) -> list[Path]:
        directory = self.sql.path.parent / "journal"
        return [path for path in directory.iterdir() if path.is_dir() and path.name != "damaged"]

    async def die(self, *, events: int = 0, holder: str = "hold_one") -> None:
        """A process leases 4 dollars, leaves 3 of them held for one attempt, and is gone."""
        board = DiskHoldBoard()
        log = log_of(self.sql, beside=board)
        await log.start()
        board.announce(holder)
        process = await Process(self.ledger, holder).open()
        await process.get(DAILY, 4 * USD)
        for number in range(events):
            log.record(usage_event(number))
        board.put(f"req_of_{holder}.1", 3 * USD, GROUP._replace(holder=holder, payer=holder))
        # The lock goes, the files stay: death.
        log._journal.close()

    async def heir(self) -> None:
        """A process that starts, takes over what is there, and ends."""
        log = log_of(self.sql, beside=DiskHoldBoard(), recover=self.recover)
        await log.start()
        await log.aclose()


@pytest.fixture
def world(sql: SqlWorld) -> World:
    return World(sql, InMemoryLedger())


async def committed(ledger: InMemoryLedger) -> tuple[int, int, int]:
    state = ledger.ledger.books[DAILY.account_id].state(DAILY.account_id)
    return state.spent_nano_usd, state.unresolved_nano_usd, state.leased_nano_usd


async def test_an_open_hold_counts_at_its_amount_and_the_rest_is_free(world: World) -> None:
    await world.die(events=3)

    await world.heir()

    assert await committed(world.ledger) == (0, 3 * USD, 0)
    assert await rows_of(world.sql) == (3, 3)
    assert world.folders == []


async def test_a_board_without_rows_is_found_too(world: World) -> None:
    await world.die()

    await world.heir()

    assert await committed(world.ledger) == (0, 3 * USD, 0)
    assert world.folders == []


async def test_an_attempt_whose_row_was_posted_is_left_alone(world: World) -> None:
    await world.die()
    await Process(world.ledger, "hold_one", payer="hold_one").bill("req_of_hold_one.1", USD, DAILY)

    await world.heir()

    assert await committed(world.ledger) == (USD, 0, 0)


async def test_several_dead_processes_are_recovered_each(world: World) -> None:
    await world.die(events=1, holder="hold_one")
    await world.die(events=2, holder="hold_two")

    await world.heir()

    assert await committed(world.ledger) == (0, 6 * USD, 0)
    assert world.folders == []


async def test_an_unreachable_ledger_keeps_the_folder_but_not_the_rows(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.die(events=2)
    world.ledger.reachable = False

    with caplog.at_level(logging.WARNING, "interchange"):
        await world.heir()

    assert await rows_of(world.sql) == (2, 2)
    assert len(world.folders) == 1
    assert "cannot be recovered yet" in caplog.text
    world.ledger.reachable = True
    await world.heir()
    assert await committed(world.ledger) == (0, 3 * USD, 0)
    assert world.folders == []


@pytest.mark.parametrize("calls", [0, 1, 2])
async def test_dying_while_recovering_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """The heir dies itself before its ledger call number `calls`; with 2 before it forgets the board."""
    await world.die(events=1)
    done = 0

    def interrupted(name: str, *arguments: object, **options: object) -> object:
        nonlocal done
        if done == calls:
            raise StoreUnavailable("gone")
        done += 1
        return getattr(InMemoryLedger, name)(world.ledger, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "post", partial(interrupted, "post"))
        patch.setattr(world.ledger, "close", partial(interrupted, "close"))
        if calls == 2:
            patch.setattr("adapters.disk.board_recovery.remove_board", partial(interrupted, "nothing"))
        await world.heir()
    assert len(world.folders) == 1

    await world.heir()

    assert await committed(world.ledger) == (0, 3 * USD, 0)
    assert world.folders == []


async def test_lost_rows_keep_the_leases_of_their_process(world: World) -> None:
    await world.die(events=2)
    (folder,) = world.folders
    (segment,) = folder.glob("*.seg")
    content = bytearray(segment.read_bytes())
    content[-3] ^= 0xFF
    segment.write_bytes(content)

    await world.heir()

    assert await committed(world.ledger) == (0, 0, 4 * USD)
    assert world.folders == []
    kept = {path.name.split("-", 2)[-1] for path in (folder.parent / "damaged").iterdir()}
    assert {"holds.board", "holds.groups"} <= kept
    await world.ledger.give_up_lost(2**62, 2**62, 2**62)
    assert await committed(world.ledger) == (0, 4 * USD, 0)


async def test_a_process_without_budgets_leaves_nothing_to_recover(world: World) -> None:
    log = log_of(world.sql, beside=DiskHoldBoard())
    await log.start()
    log.record(usage_event(1))
    log._journal.close()

    await world.heir()

    assert await rows_of(world.sql) == (1, 1)
    assert world.folders == []


async def test_many_open_holds_are_posted_in_groups(caplog: pytest.LogCaptureFixture) -> None:
    ledger = InMemoryLedger()
    process = await Process(ledger, "hold_one").open()
    await process.get(DAILY, 10 * USD)
    board = AbandonedHolds(("hold_one",), [OpenHold(f"req_{number}.1", 1, GROUP) for number in range(1201)])

    await RecoverHolds([ledger], SteppingClock())(board)
    await RecoverHolds([ledger], SteppingClock())(board)

    assert await committed(ledger) == (0, 1201, 0)
    assert "1201 open holds" in caplog.text


async def test_a_clean_end_leaves_no_folder(world: World) -> None:
    board = DiskHoldBoard()
    log = log_of(world.sql, beside=board)
    await log.start()
    board.announce("hold_one")
    board.clear(board.put("req_1.1", USD, GROUP))
    board.retire("hold_one")

    await log.aclose()

    assert world.folders == []


async def test_a_hold_that_is_open_at_the_end_is_left_for_the_next(world: World) -> None:
    board = DiskHoldBoard()
    log = log_of(world.sql, beside=board)
    await log.start()
    board.announce("hold_one")
    await (await Process(world.ledger, "hold_one").open()).get(DAILY, USD)
    board.put("req_1.1", USD, GROUP)
    await log.aclose()

    await world.heir()

    assert await committed(world.ledger) == (0, USD, 0)
    assert world.folders == []


async def test_a_death_with_rows_in_memory_only_keeps_the_leases(world: World) -> None:
    full = True

    def write(descriptor: int, content: bytes) -> int:
        return -1 if full else os.write(descriptor, content)

    board = DiskHoldBoard()
    log = log_of(world.sql, beside=board, write=write)
    await log.start()
    board.announce("hold_one")
    await (await Process(world.ledger, "hold_one").open()).get(DAILY, USD)
    log.record(usage_event(1))
    log._journal.close()
    full = False

    await world.heir()

    assert await committed(world.ledger) == (0, 0, USD)
