"""What every database Engine promises when it is stopped, lost, or asked what there is."""

import asyncio

import pytest

from application.ports.database_engine import Statement
from contracts.ports._base import PortContract
from contracts.ports.database_engine import (
    ALL_PEOPLE,
    LONG,
    PEOPLE,
    PLENTY,
    SHORT,
    EngineSubject,
    EngineSuite,
    becomes,
)
from domain.errors import IntegrationUnavailable, InterchangeError, InvalidConfiguration, ToolFailed


class EngineStoppingContract(EngineSuite, PortContract):
    """Bind `subject`. Cancelling, waiting, streams and lost connections."""

    async def test_a_cancelled_query_ends_on_the_server(self, subject: EngineSubject) -> None:
        task = asyncio.create_task(subject.engine.read(Statement(subject.slow, {}), PLENTY))
        assert await self.started(subject)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await self.stopped(subject)
        assert await self.idle_again(subject)
        assert await self.people(subject) == list(PEOPLE)

    async def test_a_query_that_takes_too_long_ends_on_the_server(self, subject: EngineSubject) -> None:
        with pytest.raises(TimeoutError):
            await subject.engine.read(Statement(subject.slow, {}), SHORT)

        assert await self.stopped(subject)
        assert await self.idle_again(subject)
        assert await self.people(subject) == list(PEOPLE)

    async def test_cancelling_again_and_again_uses_nothing_up(self, subject: EngineSubject) -> None:
        for _ in range(5):
            task = asyncio.create_task(subject.engine.read(Statement(subject.slow, {}), PLENTY))
            await self.started(subject)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        assert await self.stopped(subject)
        assert await self.idle_again(subject)
        assert await self.people(subject) == list(PEOPLE)

    async def test_more_callers_than_connections_all_get_their_rows(self, subject: EngineSubject) -> None:
        found = await asyncio.gather(*(self.people(subject) for _ in range(12)))

        assert found == [list(PEOPLE)] * 12
        assert subject.engine.figures().open <= 2

    async def test_whoever_waits_for_a_connection_does_not_wait_forever(self, subject: EngineSubject) -> None:
        tasks = [
            asyncio.create_task(subject.engine.read(Statement(subject.slow, {}), PLENTY)) for _ in range(2)
        ]

        async def both_run() -> bool:
            return await subject.running() == 2

        assert await becomes(both_run)

        with pytest.raises((IntegrationUnavailable, TimeoutError)):
            await subject.engine.read(ALL_PEOPLE, SHORT)

        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await self.stopped(subject)
        assert await self.people(subject) == list(PEOPLE)

    async def test_a_stream_brings_every_row_in_batches(self, subject: EngineSubject) -> None:
        cursor = await subject.engine.open_cursor(Statement(subject.numbers(5000), {}), LONG)
        sizes = [len(batch) async for batch in cursor.batches()]
        await cursor.aclose()

        assert [name.lower() for name in cursor.columns] == ["n"]
        assert sum(sizes) == 5000
        assert await self.idle_again(subject)

    async def test_batches_of_a_stream_are_small_whatever_the_rows_are(self, subject: EngineSubject) -> None:
        cursor = await subject.engine.open_cursor(Statement(subject.wide(300, 50_000), {}), LONG)
        seen = 0
        async for batch in cursor.batches():
            assert sum(len(str(row[0])) for row in batch) <= 3 * 1024 * 1024
            seen += len(batch)
        await cursor.aclose()

        assert seen == 300

    async def test_a_stream_that_is_left_gives_its_connection_back(self, subject: EngineSubject) -> None:
        for _ in range(4):
            cursor = await subject.engine.open_cursor(Statement(subject.numbers(300_000), {}), LONG)
            async for _batch in cursor.batches():
                break
            await cursor.aclose()
            await cursor.aclose()

        assert await self.idle_again(subject)
        assert await self.people(subject) == list(PEOPLE)

    async def test_a_stream_beyond_its_limit_does_not_end_as_if_it_were_whole(
        self, subject: EngineSubject
    ) -> None:
        cursor = await subject.engine.open_cursor(
            Statement(subject.numbers(5000), {}), LONG._replace(rows=1000)
        )
        seen = 0

        with pytest.raises(ToolFailed):
            async for batch in cursor.batches():
                seen += len(batch)

        await cursor.aclose()
        assert seen <= 1000
        assert await self.idle_again(subject)

    async def test_connections_that_broke_in_mid_query_are_told_and_replaced(
        self, subject: EngineSubject
    ) -> None:
        if subject.lose is None:
            pytest.skip("this database has no connections to lose")
        task = asyncio.create_task(subject.engine.read(Statement(subject.slow, {}), PLENTY))
        assert await self.started(subject)

        await subject.lose()

        with pytest.raises(IntegrationUnavailable):
            await task
        assert await self.people(subject) == list(PEOPLE)

    async def test_connections_that_broke_while_nobody_used_them_are_replaced(
        self, subject: EngineSubject
    ) -> None:
        if subject.lose is None:
            pytest.skip("this database has no connections to lose")
        await asyncio.gather(*(self.people(subject) for _ in range(4)))

        await subject.lose()

        assert await self.people(subject) == list(PEOPLE)


class EngineKnowingContract(EngineSuite, PortContract):
    """Bind `subject`. What there is, what may be done, who cannot be reached."""

    async def test_what_there_is_is_described(self, subject: EngineSubject) -> None:
        tables = await subject.engine.describe((), 100)

        people = next(table for table in tables if table.name.lower() == "people")
        assert people.kind == "table"
        assert [column.name.lower() for column in people.columns] == ["id", "name"]
        assert {column.name.lower() for column in people.columns if column.key} == subject.key_columns
        assert all(column.type for column in people.columns)

    async def test_no_more_tables_are_described_than_asked_for(self, subject: EngineSubject) -> None:
        assert len(await subject.engine.describe((), 1)) <= 1

    async def test_the_plan_of_a_query_is_told_without_running_it(self, subject: EngineSubject) -> None:
        plan = await subject.engine.explain(Statement(subject.slow, {}), PLENTY)

        assert plan["format"] in ("json", "text")
        assert plan["plan"]
        assert await subject.running() == 0

    @pytest.mark.parametrize(
        "text",
        ["INSERT INTO people (id, name) VALUES (9, 'x')", "DELETE FROM people", "ANALYZE DELETE FROM people"],
    )
    async def test_explaining_changes_nothing(self, subject: EngineSubject, text: str) -> None:
        try:
            await subject.engine.explain(Statement(text, {}), PLENTY)
        except InterchangeError:
            pass

        assert await self.people(subject) == list(PEOPLE)

    async def test_a_check_says_which_version_it_is(self, subject: EngineSubject) -> None:
        found = await subject.engine.check(must_be_harmless=True)

        assert found["version"]

    async def test_somebody_who_may_do_anything_is_refused_where_sql_is_free(
        self, subject: EngineSubject
    ) -> None:
        if subject.powerful is None:
            pytest.skip("this database knows no privileges")

        with pytest.raises(InvalidConfiguration):
            await subject.powerful.check(must_be_harmless=True)
        assert (await subject.powerful.check(must_be_harmless=False))["version"]

    async def test_what_cannot_be_reached_is_told(self, subject: EngineSubject) -> None:
        if subject.unreachable is None:
            pytest.skip("this database is not reached over a network")

        with pytest.raises(IntegrationUnavailable):
            await subject.unreachable.read(ALL_PEOPLE, PLENTY)
        with pytest.raises(IntegrationUnavailable):
            await subject.unreachable.check(must_be_harmless=False)

    async def test_a_wrong_password_is_told_and_not_repeated(self, subject: EngineSubject) -> None:
        if subject.wrong_password is None:
            pytest.skip("this database knows no passwords")

        with pytest.raises(IntegrationUnavailable) as refused:
            await subject.wrong_password.read(ALL_PEOPLE, PLENTY)

        told = f"{refused.value!r} {refused.value.message} {refused.value.details} {subject.wrong_password!r}"
        assert subject.secret not in told

    async def test_figures_stay_within_the_limit(self, subject: EngineSubject) -> None:
        await asyncio.gather(*(self.people(subject) for _ in range(6)))

        figures = subject.engine.figures()

        assert 0 < figures.limit <= 2
        assert figures.open <= figures.limit

    async def test_closing_is_final_and_may_be_repeated(self, subject: EngineSubject) -> None:
        await self.people(subject)

        await subject.engine.aclose()
        await subject.engine.aclose()

        assert subject.engine.figures().open == 0
        with pytest.raises(IntegrationUnavailable):
            await subject.engine.read(ALL_PEOPLE, PLENTY)

    async def test_closing_ends_what_still_runs(self, subject: EngineSubject) -> None:
        task = asyncio.create_task(subject.engine.read(Statement(subject.slow, {}), PLENTY))
        assert await self.started(subject)

        await subject.engine.aclose()
        found = await asyncio.gather(task, return_exceptions=True)

        assert isinstance(found[0], (InterchangeError, asyncio.CancelledError))
        assert await self.stopped(subject)
