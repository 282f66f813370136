"""Rows survive disks that are full or broken and databases that are away: real files and real databases."""

import asyncio
import errno
import os
import shutil

import pytest

from contracts.ports.usage import usage_event
from domain.errors import StoreUnavailable
from tests.contract.sql_world import SqlWorld
from tests.unit.sql._journals import abandoned_segment, log_of, rows_of, until


async def test_a_full_disk_turns_healthy_false_and_heals(sql: SqlWorld) -> None:
    full = False

    def write(descriptor: int, data: bytes) -> int:
        if full:
            os.write(descriptor, data[:7])  # as a real disk does when its last block fills
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    log = log_of(sql, write=write)
    await log.start()
    log.record(usage_event(0))

    full = True
    for number in range(1, 4):
        log.record(usage_event(number))
    assert (log.healthy, log.accepting, log.unjournaled_rows) == (False, True, 3)

    full = False
    assert log._rejournal()
    assert (log.healthy, log.unjournaled_rows) == (True, 0)
    (path,) = [segment.path for segment in log._journal.segments]
    log._journal.close()

    heir = log_of(sql)
    await heir.start()
    assert (await rows_of(sql))[0] == 4
    assert not path.exists()
    await heir.aclose()


async def test_half_a_record_on_a_full_disk_does_not_hide_the_next_one(sql: SqlWorld) -> None:
    lengths: list[int | None] = [None, None, 10, None, None]

    def write(descriptor: int, data: bytes) -> int:
        length = lengths.pop(0)
        return os.write(descriptor, data[:length])

    log = log_of(sql, write=write)
    await log.start()
    for number in range(2):
        log.record(usage_event(number))
    assert log.unjournaled_rows == 1
    log._rejournal()
    log.record(usage_event(2))
    log._journal.close()

    heir = log_of(sql)
    await heir.start()
    assert (await rows_of(sql))[0] == 3
    assert heir.damaged_records == 0
    await heir.aclose()


async def test_a_real_full_device_is_survived(sql: SqlWorld) -> None:
    try:
        device = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("no /dev/full on this system")
    full = False

    log = log_of(sql, write=lambda descriptor, data: os.write(device if full else descriptor, data))
    await log.start()
    log.record(usage_event(0))
    full = True
    log.record(usage_event(1))
    assert not log.healthy

    await log.flush()

    assert log.healthy
    assert (await rows_of(sql))[0] == 2
    await log.aclose()
    os.close(device)


async def test_what_does_not_fit_in_memory_waits_in_the_journal(sql: SqlWorld) -> None:
    log = log_of(sql, queue_rows_max=5, segment_size_bytes_max=4000)
    await log.start()
    sql.lose()
    for number in range(40):
        log.record(usage_event(number))
    assert (log.waiting_rows, log.accepting) == (5, True)
    with pytest.raises(StoreUnavailable):
        await log.flush()
    assert not log.healthy

    sql.restore()
    await log.flush()

    assert (await rows_of(sql))[0] == 40
    assert log.healthy
    await log.aclose()
    assert list((sql.path.parent / "journal").iterdir()) == []


async def test_closing_without_a_database_leaves_the_rows_to_the_next_start(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    sql.lose()
    log.record(usage_event(0))
    await log.aclose()
    sql.restore()

    heir = log_of(sql)
    await heir.start()

    assert (await rows_of(sql))[0] == 1
    await heir.aclose()


async def test_closing_with_neither_disk_nor_database_says_what_is_lost(sql: SqlWorld) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    log = log_of(sql, write=write)
    await log.start()
    sql.lose()
    log.record(usage_event(0))

    with pytest.raises(StoreUnavailable, match="1 usage rows"):
        await log.aclose()

    sql.restore()


async def test_a_journal_directory_that_cannot_be_made_is_reported(sql: SqlWorld) -> None:
    (sql.path.parent / "journal").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="usage journal"):
        await log_of(sql).start()


async def test_a_start_without_database_keeps_old_journals_for_later(sql: SqlWorld) -> None:
    await abandoned_segment(sql, 2)
    sql.lose()
    log = log_of(sql)
    await log.start()
    assert not log.healthy
    sql.restore()

    await log._drain()
    await log._adopt()

    assert log.healthy
    assert (await rows_of(sql))[0] == 2
    await log.aclose()


async def test_the_background_task_outlives_an_outage(sql: SqlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_DATABASE_AFTER_S", "SYNC_EVERY_S", "ADOPT_EVERY_S"):
        monkeypatch.setattr(f"adapters.sql.usage_log.{name}", 0.005)
    log = log_of(sql, drain_every_s=0.001)
    await log.start()
    sql.lose()
    running = asyncio.create_task(log.run())
    log.record(usage_event(0))
    await until(lambda: not log.healthy)

    sql.restore()
    await until(lambda: log.healthy and not log.waiting_rows)

    running.cancel()
    await asyncio.wait([running])
    await log.aclose()
    assert (await rows_of(sql))[0] == 1


async def test_a_disk_that_does_not_sync_is_not_healthy(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    log.record(usage_event(0))
    sync = log._journal.sync

    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    log._journal.sync = fail  # type: ignore[method-assign]
    await log._sync()
    assert not log.healthy

    log._journal.sync = sync  # type: ignore[method-assign]
    await log._sync()
    assert log.healthy
    await log.aclose()


async def test_a_lost_journal_folder_leaves_rows_in_memory_and_then_in_the_database(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    assert log._journal._folder is not None
    shutil.rmtree(log._journal._folder)

    log.record(usage_event(0))
    assert not log.healthy
    await log.flush()

    assert (await rows_of(sql))[0] == 1
    await log.aclose()


async def test_the_older_segment_takes_more_when_there_is_no_room_for_another(sql: SqlWorld) -> None:
    full = False

    def write(descriptor: int, data: bytes) -> int:
        if full and b"tenant_id" in data:  # only a new segment begins with the names of the fields
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    log = log_of(sql, segment_size_bytes_max=1, write=write)
    await log.start()
    log.record(usage_event(0))
    full = True
    log.record(usage_event(1))

    assert log.unjournaled_rows == 0
    assert len(log._journal.segments) == 1
    await log.aclose()
    assert (await rows_of(sql))[0] == 2
