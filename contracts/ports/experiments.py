"""What every ExperimentStore promises, and every ExperimentFigures."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import isclose
from typing import Any, Protocol

import pytest

from application.ports.experiments import (
    ExperimentFigures,
    ExperimentStore,
    FiguresWanted,
    StoredExperiment,
)
from application.ports.outbox import OutboxEvent
from contracts.ports._base import PortContract
from contracts.ports.usage import STARTED_AT_US, usage_event
from domain.analytics.event import RequestEvent
from domain.errors import Conflict, StoreUnavailable
from domain.experiments.experiment import Metric, Unit
from domain.experiments.judging import ArmFigures

NOW_US = 1_772_368_215_123_456


def stored(
    experiment_id: str = "exp_1",
    name: str = "Cheaper",
    tenant_id: str = "acme",
    *,
    state: str = '{"status":"draft"}',
    revision: int = 0,
) -> StoredExperiment:
    body = '{"route":"chat"}'
    return StoredExperiment(experiment_id, tenant_id, name, body, state, revision, NOW_US, NOW_US + 1)


def event(key: str = "experiment.stopped:1") -> OutboxEvent:
    return OutboxEvent(key, "experiment.stopped", "acme", "{}", NOW_US)


class ExperimentStoreContract(PortContract):
    """Bind `store`, `told` (keys of the events in its outbox), and `unreachable_store`: the same adapter with
    its backend gone."""

    @pytest.fixture
    def store(self) -> ExperimentStore:
        raise NotImplementedError

    @pytest.fixture
    def told(self, store: ExperimentStore) -> Callable[[], Awaitable[Sequence[str]]]:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> ExperimentStore:
        raise NotImplementedError

    async def test_a_new_store_holds_no_experiment(self, store: ExperimentStore) -> None:
        assert await store.all() == []

    async def test_what_was_put_is_what_is_read_by_id(self, store: ExperimentStore) -> None:
        second = stored("exp_2", "Zürich 🧪", "other")

        assert await store.put(second) is True
        assert await store.put(stored()) is True

        assert await store.all() == [stored(revision=1), second._replace(revision=1)]

    async def test_it_is_changed_by_whoever_knows_how_it_is(self, store: ExperimentStore) -> None:
        await store.put(stored())

        assert await store.put(stored(state="{}", revision=1)) is True

        assert await store.all() == [stored(state="{}", revision=2)]

    @pytest.mark.parametrize("revision", [0, 2])
    async def test_who_knows_it_as_it_was_or_never_was_changes_nothing(
        self,
        store: ExperimentStore,
        told: Callable[[], Awaitable[Sequence[str]]],
        revision: int,
    ) -> None:
        await store.put(stored())
        before = await store.generation()

        assert await store.put(stored(state="{}", revision=revision), [event()]) is False

        assert await store.all() == [stored(revision=1)]
        assert await store.generation() == before
        assert list(await told()) == []

    async def test_its_events_are_told_with_it(
        self, store: ExperimentStore, told: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        await store.put(stored(), [event("a"), event("b")])

        assert sorted(await told()) == ["a", "b"]

    async def test_of_many_changing_it_at_once_one_does(
        self, store: ExperimentStore, told: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        await store.put(stored())
        changes = [store.put(stored(state=f"{each}", revision=1), [event(f"{each}")]) for each in range(5)]

        assert sorted(await asyncio.gather(*changes)) == [False] * 4 + [True]

        assert len(await told()) == 1

    async def test_a_name_belongs_to_one_experiment_of_a_tenant(self, store: ExperimentStore) -> None:
        await store.put(stored())
        await store.put(stored("exp_3", tenant_id="other"))

        with pytest.raises(Conflict) as refused:
            await store.put(stored("exp_2"))

        assert refused.value.param == "name"
        assert [each.experiment_id for each in await store.all()] == ["exp_1", "exp_3"]

    async def test_nobody_takes_over_an_experiment_of_another_tenant(self, store: ExperimentStore) -> None:
        await store.put(stored())

        assert await store.put(stored(tenant_id="other")) is False
        assert await store.put(stored(tenant_id="other", revision=1)) is False
        assert await store.delete("other", "exp_1") is False

        assert await store.all() == [stored(revision=1)]

    async def test_a_deleted_experiment_is_gone_and_deleted_once(self, store: ExperimentStore) -> None:
        await store.put(stored())

        assert await store.delete("acme", "exp_1") is True
        assert await store.delete("acme", "exp_1") is False

        assert await store.all() == []

    async def test_the_generation_changes_with_every_change_and_only_then(
        self, store: ExperimentStore
    ) -> None:
        seen = [await store.generation()]
        await store.put(stored())
        seen.append(await store.generation())
        await store.put(stored(state="{}", revision=1))
        seen.append(await store.generation())
        await store.delete("acme", "exp_1")
        seen.append(await store.generation())
        await store.delete("acme", "exp_1")

        assert len(set(seen)) == len(seen)
        assert await store.generation() == seen[-1]

    async def test_an_unreachable_store_says_so(self, unreachable_store: ExperimentStore) -> None:
        for work in (
            unreachable_store.all(),
            unreachable_store.put(stored()),
            unreachable_store.delete("acme", "exp_1"),
            unreachable_store.generation(),
        ):
            with pytest.raises(StoreUnavailable):
                await work


def asked(number: int, arm: str, **changes: Any) -> RequestEvent:
    """A request in the experiment `exp_1`."""
    usual = {"experiment": "exp_1", "arm": arm, "user_id": f"user-{number}", "session_id": "s"}
    return usage_event(number, **{**usual, "started_at_us": STARTED_AT_US + number, **changes})


BY_USER = FiguresWanted("exp_1", Unit.USER, "acme")


class FiguresWorld(Protocol):
    """Figures, and what they are of."""

    @property
    def figures(self) -> ExperimentFigures: ...

    async def record(self, *events: RequestEvent) -> None: ...

    async def score(self, event: RequestEvent, score: float, source: str) -> None:
        """Somebody says how good the answer was."""
        ...


class ExperimentFiguresContract(PortContract):
    """Bind `world`, and `unreachable_figures`."""

    @pytest.fixture
    def world(self) -> FiguresWorld:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_figures(self) -> ExperimentFigures:
        raise NotImplementedError

    async def test_an_experiment_without_requests_has_no_figures(self, world: FiguresWorld) -> None:
        await world.record(usage_event(1), asked(2, "a", experiment="another"))

        assert await world.figures.figures(BY_USER) == {}

    async def test_each_arm_has_its_sums_over_units(self, world: FiguresWorld) -> None:
        await world.record(
            asked(1, "a", cost_nano_usd=100, duration_us=10),
            asked(2, "a", cost_nano_usd=300, duration_us=30),
            asked(3, "b", cost_nano_usd=500, duration_us=50),
        )

        found = await world.figures.figures(BY_USER)

        assert set(found) == {"a", "b"}
        assert (found["a"].units, found["a"].requests) == (2, 2)
        _like(found["a"], Metric.COST, 2, 400.0, 100_000.0)
        _like(found["a"], Metric.LATENCY, 2, 40.0, 1000.0)
        _like(found["a"], Metric.ERRORS, 2, 0.0, 0.0)
        _like(found["b"], Metric.COST, 1, 500.0, 250_000.0)
        assert found["a"].of(Metric.QUALITY).count == 0

    async def test_many_requests_of_one_user_count_as_one_user(self, world: FiguresWorld) -> None:
        many = [asked(number, "a", user_id="busy", cost_nano_usd=number) for number in range(1, 10)]
        await world.record(*many, asked(20, "a", cost_nano_usd=7))

        found = (await world.figures.figures(BY_USER))["a"]

        assert (found.units, found.requests) == (2, 10)
        _like(found, Metric.COST, 2, 5.0 + 7.0, 25.0 + 49.0)

    @pytest.mark.parametrize(
        ("unit", "units"), [(Unit.TENANT, 2), (Unit.SESSION, 3), (Unit.USER, 3), (Unit.REQUEST, 4)]
    )
    async def test_units_are_what_the_experiment_says(
        self, world: FiguresWorld, unit: Unit, units: int
    ) -> None:
        await world.record(
            asked(1, "a", user_id="u", session_id="s"),
            asked(2, "a", user_id="u", session_id="t"),
            asked(3, "a", user_id="v", session_id="t"),
            asked(4, "a", user_id="u", session_id="s", tenant_id="other"),
        )

        found = await world.figures.figures(FiguresWanted("exp_1", unit, None))

        assert (found["a"].units, found["a"].requests) == (units, 4)

    async def test_a_tenant_sees_only_its_own_requests(self, world: FiguresWorld) -> None:
        await world.record(asked(1, "a"), asked(2, "a", tenant_id="other"))

        assert (await world.figures.figures(BY_USER))["a"].units == 1
        assert (await world.figures.figures(BY_USER._replace(tenant_id=None)))["a"].units == 2

    async def test_failures_count_and_refusals_do_not(self, world: FiguresWorld) -> None:
        await world.record(
            asked(1, "a"),
            asked(2, "a", outcome="error", duration_us=10**9),
            asked(3, "a", outcome="cut"),
            asked(4, "a", outcome="refused", error_code="no_provider_available"),
            asked(5, "a", outcome="refused", error_code="rate_limited"),
            asked(6, "a", outcome="cancelled"),
        )

        found = (await world.figures.figures(BY_USER))["a"]

        _like(found, Metric.ERRORS, 4, 3.0, 3.0)
        assert found.of(Metric.LATENCY).count == 1

    async def test_an_unknown_cost_is_left_out(self, world: FiguresWorld) -> None:
        await world.record(
            asked(1, "a", user_id="u", cost_nano_usd=None),
            asked(2, "a", user_id="u", cost_nano_usd=10),
            asked(3, "a", cost_nano_usd=None),
        )

        found = (await world.figures.figures(BY_USER))["a"]

        assert found.units == 2
        _like(found, Metric.COST, 1, 10.0, 100.0)

    async def test_quality_is_the_mean_of_what_was_said_of_each_request(self, world: FiguresWorld) -> None:
        first, second, third = asked(1, "a"), asked(2, "a"), asked(3, "a")
        await world.record(first, second, third)
        await world.score(first, 1.0, "reviewer")
        await world.score(first, 0.0, "other")
        await world.score(second, 0.75, "reviewer")

        _like((await world.figures.figures(BY_USER))["a"], Metric.QUALITY, 2, 1.25, 0.8125)

    async def test_large_sums_stay_right(self, world: FiguresWorld) -> None:
        hours = 3_600_000_000
        await world.record(*(asked(number, "a", duration_us=hours) for number in range(3)))

        _like((await world.figures.figures(BY_USER))["a"], Metric.LATENCY, 3, 3.0 * hours, 3.0 * hours**2)

    async def test_unreachable_rows_say_so(self, unreachable_figures: ExperimentFigures) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_figures.figures(BY_USER)


def _like(figures: ArmFigures, metric: Metric, count: int, total: float, squares: float) -> None:
    found = figures.of(metric)
    assert found.count == count
    assert isclose(found.total, total)
    assert isclose(found.squares, squares)
