"""What every database Engine promises, whoever the database is.

A binding brings its database with a table `people` (`id` integer, the primary key; `name` text of at least
100 characters) that holds PEOPLE, and an EngineSubject that says the same things in its own SQL.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import pytest

from application.ports.database_engine import Engine, Limits, Rows, Statement
from contracts.ports._base import PortContract
from domain.errors import InterchangeError, ToolFailed

PEOPLE: Final = ((1, "Ada"), (2, "Grace"), (3, "Zoë 🧾"))
PLENTY: Final = Limits(rows=1000, bytes=4 * 1024 * 1024, timeout_s=20.0)
SHORT: Final = PLENTY._replace(timeout_s=0.3)
LONG: Final = PLENTY._replace(rows=10_000_000, bytes=1 << 34)
ALL_PEOPLE: Final = Statement("SELECT id, name FROM people ORDER BY id", {})
LOOKED_AT_MAX: Final = 100
"""How often something that has to become true is looked at, 0.1 s apart."""


class Leak(NamedTuple):
    """What a statement might leave behind in its session, and how the next one would see it."""

    spoil: str
    probe: str


@dataclass(frozen=True, kw_only=True)
class EngineSubject:
    """One engine of at most two connections, used by somebody who may change `people` and no more."""

    engine: Engine
    numbers: Callable[[int], str]
    """A query of that many rows with an integer column `n`, made by the server from nothing."""
    wide: Callable[[int, int], str]
    """A query of that many rows, each with one text of that many characters."""
    slow: str
    """A query that takes half a minute and more unless it is stopped."""
    running: Callable[[], Awaitable[int]]
    """How many of `slow` the server is working on, asked by somebody else."""
    leaks: Sequence[Leak] = ()
    forbidden_reads: Sequence[str] = ()
    """Statements beside the obvious ones that must change nothing when they are read."""
    powerful: Engine | None = None
    """The same database as somebody who may do what no guard sees; None: there is nobody like that."""
    unreachable: Engine | None = None
    wrong_password: Engine | None = None
    secret: str = ""
    """The wrong password."""
    lose: Callable[[], Awaitable[None]] | None = None
    """Breaks every connection; the server takes new ones when it returns."""
    key_columns: frozenset[str] = frozenset({"id"})
    """As `describe` can tell; empty for a database that does not say."""


async def becomes(true: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(LOOKED_AT_MAX):
        if await true():
            return True
        await asyncio.sleep(0.1)
    return False


class EngineSuite:
    @pytest.fixture
    def subject(self) -> EngineSubject:
        raise NotImplementedError

    async def people(self, subject: EngineSubject) -> list[tuple[object, ...]]:
        rows = await subject.engine.read(ALL_PEOPLE, PLENTY)
        return [tuple(row) for row in rows.rows]

    async def idle_again(self, subject: EngineSubject) -> bool:
        async def idle() -> bool:
            return subject.engine.figures().busy == 0

        return await becomes(idle)

    async def stopped(self, subject: EngineSubject) -> bool:
        async def nothing_runs() -> bool:
            return await subject.running() == 0

        return await becomes(nothing_runs)

    async def started(self, subject: EngineSubject) -> bool:
        async def something_runs() -> bool:
            return await subject.running() > 0

        return await becomes(something_runs)


class EngineReadingContract(EngineSuite, PortContract):
    """Bind `subject`."""

    async def test_rows_come_with_the_names_of_their_columns(self, subject: EngineSubject) -> None:
        rows = await subject.engine.read(ALL_PEOPLE, PLENTY)

        assert [name.lower() for name in rows.columns] == ["id", "name"]
        assert len(rows.types) == 2
        assert tuple(tuple(row) for row in rows.rows) == PEOPLE
        assert rows.truncated is False

    async def test_columns_are_told_where_there_is_no_row(self, subject: EngineSubject) -> None:
        none = Statement("SELECT id, name FROM people WHERE id = :id", {"id": 99})

        rows = await subject.engine.read(none, PLENTY)

        assert [name.lower() for name in rows.columns] == ["id", "name"]
        assert list(rows.rows) == []

    async def test_a_value_takes_its_place_wherever_its_name_stands(self, subject: EngineSubject) -> None:
        twice = Statement(
            "SELECT id FROM people WHERE id = :id OR (id = :id + 1 AND name = :name) ORDER BY id",
            {"name": "Zoë 🧾", "id": 2},
        )

        rows = await subject.engine.read(twice, PLENTY)

        assert [row[0] for row in rows.rows] == [2, 3]

    @pytest.mark.parametrize(
        "value", ["' OR 1=1 --", "x'; DELETE FROM people; --", "\\' OR 1=1 -- ", ":id", "%s"]
    )
    async def test_a_value_is_never_read_as_sql(self, subject: EngineSubject, value: str) -> None:
        rows = await subject.engine.read(
            Statement("SELECT id FROM people WHERE name = :name", {"name": value}), PLENTY
        )

        assert list(rows.rows) == []
        assert len(await self.people(subject)) == len(PEOPLE)

    async def test_rows_beyond_the_limit_are_cut_and_it_is_said(self, subject: EngineSubject) -> None:
        rows = await subject.engine.read(Statement(subject.numbers(50), {}), PLENTY._replace(rows=10))

        assert len(rows.rows) == 10
        assert rows.truncated is True

    async def test_a_result_of_exactly_the_limit_is_whole(self, subject: EngineSubject) -> None:
        rows = await subject.engine.read(Statement(subject.numbers(10), {}), PLENTY._replace(rows=10))

        assert len(rows.rows) == 10
        assert rows.truncated is False

    async def test_bytes_beyond_the_limit_are_cut_and_it_is_said(self, subject: EngineSubject) -> None:
        rows = await subject.engine.read(
            Statement(subject.wide(200, 1000), {}), PLENTY._replace(bytes=20_000)
        )

        assert 0 < len(rows.rows) <= 20
        assert rows.truncated is True

    @pytest.mark.parametrize("limit", [PLENTY, PLENTY._replace(rows=1)])
    async def test_a_huge_result_is_not_fetched_to_its_end(
        self, subject: EngineSubject, limit: Limits
    ) -> None:
        rows = await subject.engine.read(Statement(subject.numbers(300_000), {}), limit)

        assert len(rows.rows) == limit.rows
        assert rows.truncated is True
        assert await self.people(subject) == list(PEOPLE)

    async def test_what_the_database_refuses_is_told_and_harms_nobody(self, subject: EngineSubject) -> None:
        with pytest.raises(ToolFailed) as failed:
            await subject.engine.read(Statement("SELECT nothing_like_it FROM people", {}), PLENTY)

        assert "nothing_like_it" in failed.value.message.lower()
        assert await self.people(subject) == list(PEOPLE)

    @pytest.mark.parametrize(
        "text",
        [
            "INSERT INTO people (id, name) VALUES (9, 'x')",
            "UPDATE people SET name = 'x'",
            "DELETE FROM people",
            "CREATE TABLE loot (id INTEGER)",
            "DROP TABLE people",
            "COMMIT",
            "ROLLBACK",
            "SELECT 1; DELETE FROM people",
            "COMMIT; DELETE FROM people",
            "/* harmless */ DELETE FROM people",
            "-- harmless\nDELETE FROM people",
        ],
    )
    async def test_reading_changes_nothing(self, subject: EngineSubject, text: str) -> None:
        await self._read_whatever(subject, text)

        assert await self.people(subject) == list(PEOPLE)

    async def test_what_this_database_has_beside_changes_nothing(self, subject: EngineSubject) -> None:
        for text in subject.forbidden_reads:
            await self._read_whatever(subject, text)
            await self._read_whatever(subject, "DELETE FROM people")

            assert await self.people(subject) == list(PEOPLE), text

    async def test_nothing_of_a_session_is_left_to_the_next(self, subject: EngineSubject) -> None:
        for leak in subject.leaks:
            before = await self._seen(subject, leak.probe)
            for _ in range(3):
                await self._read_whatever(subject, leak.spoil)
            after = [await self._seen(subject, leak.probe) for _ in range(3)]

            assert after == [before] * 3, leak.spoil

    async def _seen(self, subject: EngineSubject, probe: str) -> list[tuple[object, ...]] | str:
        try:
            rows = await subject.engine.read(Statement(probe, {}), PLENTY)
        except InterchangeError as error:
            return error.code
        return [tuple(row) for row in rows.rows]

    async def _read_whatever(self, subject: EngineSubject, text: str) -> Rows | None:
        try:
            return await subject.engine.read(Statement(text, {}), PLENTY)
        except InterchangeError:
            return None


class EngineWritingContract(EngineSuite, PortContract):
    """Bind `subject`."""

    async def test_what_was_written_is_there_and_counted(self, subject: EngineSubject) -> None:
        insert = Statement("INSERT INTO people (id, name) VALUES (:id, :name)", {"id": 4, "name": "Lin"})

        changed = await subject.engine.write(insert, PLENTY)

        assert changed.rows_affected == 1
        assert await self.people(subject) == [*PEOPLE, (4, "Lin")]

    async def test_rows_changed_are_counted(self, subject: EngineSubject) -> None:
        update = Statement("UPDATE people SET name = :name WHERE id >= :id", {"name": "x", "id": 2})

        assert (await subject.engine.write(update, PLENTY)).rows_affected == 2

    async def test_a_write_that_fails_leaves_nothing(self, subject: EngineSubject) -> None:
        with pytest.raises(ToolFailed):
            await subject.engine.write(
                Statement("INSERT INTO people (id, name) VALUES (5, 'x'), (1, 'taken')", {}), PLENTY
            )

        assert await self.people(subject) == list(PEOPLE)

    async def test_writing_one_after_another_works_on_the_same_connections(
        self, subject: EngineSubject
    ) -> None:
        for number in range(10, 20):
            await subject.engine.write(
                Statement("INSERT INTO people (id, name) VALUES (:id, 'x')", {"id": number}), PLENTY
            )

        assert len(await self.people(subject)) == len(PEOPLE) + 10
