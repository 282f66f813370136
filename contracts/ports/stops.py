"""What every StopStore promises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.stops import StopStore
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable
from domain.guards.stop import Stop, StopCause, StopSubject

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
MANY = 100


def stop(stop_id: str = "stop_1", **changed: object) -> Stop:
    made = Stop(
        stop_id=stop_id,
        tenant_id="acme",
        subject=StopSubject(agent_id="Prüfer"),
        cause=StopCause.OPERATOR,
        reason="costs too much",
        by="Key000000001",
        created_at=NOW,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def guarded(stop_id: str, **changed: object) -> Stop:
    changed = {"cause": StopCause.SPEND_RATE, "expires_at": NOW + timedelta(hours=1), **changed}
    return stop(stop_id, **changed)


class StopStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> StopStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> StopStore:
        raise NotImplementedError

    async def test_a_new_store_holds_no_stop(self, store: StopStore) -> None:
        assert await store.all() == []

    async def test_what_was_added_is_what_is_read_the_oldest_first(self, store: StopStore) -> None:
        subject = StopSubject(
            agent_id="a", session_id="s", user_id="u", key_id="k", workflow_id="w", route="r"
        )
        newer = stop(
            "stop_0",
            tenant_id="other",
            subject=subject,
            cause=StopCause.REPEATED_TOOL_CALL,
            created_at=NOW + timedelta(seconds=1),
            expires_at=NOW + timedelta(hours=1),
            ends_running=True,
            lifted_at=NOW + timedelta(minutes=1),
            lifted_by="Key000000002",
            evidence="ab@12",
        )
        assert await store.add(newer, stops_max=MANY)
        assert await store.add(stop(), stops_max=MANY)

        assert await store.all() == [stop(), newer]

    async def test_an_id_is_taken_once(self, store: StopStore) -> None:
        await store.add(stop(), stops_max=MANY)

        with pytest.raises(Conflict):
            await store.add(stop(tenant_id="other"), stops_max=MANY)

        assert await store.all() == [stop()]

    async def test_a_tenant_keeps_so_many_and_another_is_not_concerned(self, store: StopStore) -> None:
        await store.add(stop(), stops_max=1)

        with pytest.raises(Conflict):
            await store.add(stop("stop_2"), stops_max=1)
        assert await store.add(stop("stop_3", tenant_id="other"), stops_max=1)

    async def test_a_stop_that_ended_makes_room_the_earliest_first(self, store: StopStore) -> None:
        await store.add(stop("late", expires_at=NOW - timedelta(minutes=1)), stops_max=3)
        await store.add(stop("early", expires_at=NOW - timedelta(hours=1)), stops_max=3)
        await store.add(stop("forever"), stops_max=3)

        await store.add(stop("new"), stops_max=3)
        assert {each.stop_id for each in await store.all()} == {"late", "forever", "new"}

        await store.add(stop("newer"), stops_max=3)
        assert {each.stop_id for each in await store.all()} == {"forever", "new", "newer"}
        with pytest.raises(Conflict):
            await store.add(stop("one too many"), stops_max=3)

    async def test_a_guard_stops_nobody_twice_but_an_operator_may(self, store: StopStore) -> None:
        assert await store.add(guarded("stop_1"), stops_max=MANY)
        later = NOW + timedelta(minutes=1)

        assert not await store.add(guarded("stop_2", created_at=later), stops_max=MANY)
        assert await store.add(guarded("stop_3", tenant_id="other"), stops_max=MANY)
        assert await store.add(
            guarded("stop_4", subject=StopSubject(agent_id="Prüfer", session_id="s")), stops_max=MANY
        )
        assert await store.add(guarded("stop_5", cause=StopCause.REPEATED_TOOL_CALL), stops_max=MANY)
        assert await store.add(stop("stop_6"), stops_max=MANY)
        assert await store.add(stop("stop_7"), stops_max=MANY)

    async def test_a_guard_stops_again_what_was_lifted_or_has_expired(self, store: StopStore) -> None:
        await store.add(guarded("stop_1"), stops_max=MANY)
        await store.lift("acme", "stop_1", NOW, "Key000000001")

        assert await store.add(guarded("stop_2"), stops_max=MANY)
        assert await store.add(guarded("stop_3", created_at=NOW + timedelta(hours=1)), stops_max=MANY)

    async def test_a_lifted_stop_says_when_and_by_whom_and_is_lifted_once(self, store: StopStore) -> None:
        await store.add(stop(), stops_max=MANY)

        assert await store.lift("acme", "stop_1", NOW, "Key000000009") is True
        assert await store.lift("acme", "stop_1", NOW + timedelta(hours=1), "x") is False

        assert await store.all() == [stop(lifted_at=NOW, lifted_by="Key000000009")]

    async def test_another_tenant_cannot_lift_it(self, store: StopStore) -> None:
        await store.add(stop(), stops_max=MANY)

        assert await store.lift("other", "stop_1", NOW, "x") is False
        assert await store.lift("acme", "stop_9", NOW, "x") is False

        assert await store.all() == [stop()]

    async def test_what_ended_long_ago_is_forgotten_and_nothing_else(self, store: StopStore) -> None:
        hour = timedelta(hours=1)
        await store.add(stop("forever"), stops_max=MANY)
        await store.add(stop("expired", expires_at=NOW - hour), stops_max=MANY)
        await store.add(stop("running", expires_at=NOW + hour), stops_max=MANY)
        await store.add(stop("lifted", expires_at=NOW + hour), stops_max=MANY)
        await store.lift("acme", "lifted", NOW - 2 * hour, "x")
        await store.add(stop("lifted later", expires_at=NOW - hour), stops_max=MANY)
        await store.lift("acme", "lifted later", NOW + hour, "x")

        assert await store.forget_ended_before(NOW) == 2

        assert {each.stop_id for each in await store.all()} == {"forever", "running", "lifted later"}
        assert await store.forget_ended_before(NOW) == 0

    async def test_the_generation_changes_with_every_change(self, store: StopStore) -> None:
        seen = [await store.generation()]
        await store.add(stop(expires_at=NOW), stops_max=MANY)
        seen.append(await store.generation())
        await store.lift("acme", "stop_1", NOW, "x")
        seen.append(await store.generation())
        await store.forget_ended_before(NOW + timedelta(hours=1))
        seen.append(await store.generation())

        assert len(set(seen)) == 4
        await store.all()
        assert await store.forget_ended_before(NOW) == 0
        assert await store.generation() == seen[-1]

    async def test_of_many_guards_at_once_one_stops(self, store: StopStore) -> None:
        added = await asyncio.gather(*(store.add(guarded(f"stop_{n}"), stops_max=MANY) for n in range(8)))

        assert sorted(added) == [False] * 7 + [True]

    async def test_it_works_after_a_cancelled_call(self, store: StopStore) -> None:
        call = asyncio.create_task(store.all())
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await store.add(stop(), stops_max=MANY)

        assert len(await store.all()) == 1

    async def test_an_unreachable_store_says_so(self, unreachable_store: StopStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.add(stop(), stops_max=MANY)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.lift("acme", "stop_1", NOW, "x")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.forget_ended_before(NOW)
