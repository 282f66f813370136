"""What every ShadowLog promises."""

from math import isclose
from typing import Any, Protocol

import pytest

from application.ports.experiments import FiguresWanted
from application.ports.shadows import ShadowLog, ShadowPair
from contracts.ports._base import PortContract
from contracts.ports.usage import STARTED_AT_US, usage_event
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable
from domain.experiments.experiment import Metric, Unit

BY_USER = FiguresWanted("exp_1", Unit.USER, "acme")


def pair(number: int, **changes: Any) -> ShadowPair:
    """Of the request of that number in the experiment `exp_1`."""
    usual = ShadowPair(
        tenant_id="acme",
        experiment_id="exp_1",
        arm="mirror",
        request_id=f"req_{number:012d}",
        shadow_id=f"req_{number:012d}b",
        at_us=STARTED_AT_US + number,
        control_ok=True,
        shadow_ok=True,
        control_cost_nano_usd=1000,
        shadow_cost_nano_usd=100,
        counted_nano_usd=100,
        control_us=40,
        shadow_us=20,
        control_chars=10,
        shadow_chars=5,
        same_turn=True,
        same_words=False,
        words_in_common=0.5,
    )
    return usual._replace(**changes)


def asked(number: int, user: str = "", **changes: Any) -> RequestEvent:
    """The request that was copied."""
    return usage_event(number, **{"experiment": "exp_1", "user_id": user or f"user-{number}", **changes})


class ShadowWorld(Protocol):
    """What was seen, and the usage of what it was seen of."""

    @property
    def log(self) -> ShadowLog: ...

    async def record(self, *events: RequestEvent) -> None: ...


class ShadowLogContract(PortContract):
    """Bind `world`, and `unreachable_log`: the same adapter with its backend gone."""

    @pytest.fixture
    def world(self) -> ShadowWorld:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_log(self) -> ShadowLog:
        raise NotImplementedError

    async def test_nothing_seen_has_no_figures(self, world: ShadowWorld) -> None:
        await world.record(asked(1))
        await world.log.note([])
        await world.log.note([pair(1, experiment_id="exp_2")])

        assert await world.log.figures(BY_USER) == {}

    async def test_both_sides_are_added_up_over_units(self, world: ShadowWorld) -> None:
        await world.record(asked(1), asked(2))
        await world.log.note([pair(1), pair(2, control_cost_nano_usd=3000, shadow_cost_nano_usd=200)])

        found = (await world.log.figures(BY_USER))["mirror"]

        assert (found.units, found.requests) == (2, 2)
        cost = found.pairs[Metric.COST]
        assert (cost.arm.count, cost.arm.total, cost.arm.squares) == (2, 300.0, 50_000.0)
        assert (cost.control.count, cost.control.total, cost.control.squares) == (2, 4000.0, 10_000_000.0)
        assert isclose(cost.products, 1000.0 * 100 + 3000.0 * 200)
        assert found.of(Metric.COST) == cost.arm
        assert found.pairs[Metric.LATENCY].control.total == 80.0

    async def test_many_requests_of_one_user_count_as_one_user(self, world: ShadowWorld) -> None:
        await world.record(*(asked(number, "busy") for number in range(4)), asked(9))
        await world.log.note([pair(number, shadow_cost_nano_usd=number) for number in range(4)])
        await world.log.note([pair(9, shadow_cost_nano_usd=7)])

        found = (await world.log.figures(BY_USER))["mirror"]

        assert (found.units, found.requests) == (2, 5)
        assert isclose(found.pairs[Metric.COST].arm.total, 1.5 + 7.0)
        by_request = await world.log.figures(BY_USER._replace(unit=Unit.REQUEST))
        assert by_request["mirror"].units == 5

    async def test_units_are_what_the_experiment_says(self, world: ShadowWorld) -> None:
        await world.record(
            asked(1, "u", session_id="s"), asked(2, "u", session_id="t"), asked(3, "v", tenant_id="other")
        )
        await world.log.note([pair(1), pair(2), pair(3, tenant_id="other")])

        for unit, units in ((Unit.TENANT, 2), (Unit.USER, 2), (Unit.SESSION, 3), (Unit.REQUEST, 3)):
            found = await world.log.figures(FiguresWanted("exp_1", unit, None))
            assert found["mirror"].units == units, unit

    async def test_a_tenant_sees_only_its_own(self, world: ShadowWorld) -> None:
        await world.record(asked(1), asked(2, tenant_id="other"))
        await world.log.note([pair(1), pair(2, tenant_id="other")])

        assert (await world.log.figures(BY_USER))["mirror"].requests == 1

    async def test_what_is_known_of_one_side_alone_is_not_compared(self, world: ShadowWorld) -> None:
        await world.record(asked(1), asked(2), asked(3))
        await world.log.note(
            [
                pair(1, shadow_cost_nano_usd=None),
                pair(2, control_cost_nano_usd=None, control_us=None, control_ok=False),
                pair(3, shadow_us=None, shadow_ok=False),
            ]
        )

        found = (await world.log.figures(BY_USER))["mirror"]

        assert found.pairs[Metric.COST].arm.count == found.pairs[Metric.COST].control.count == 1
        assert found.pairs[Metric.LATENCY].arm.count == 1
        errors = found.pairs[Metric.ERRORS]
        assert (errors.arm.count, errors.arm.total, errors.control.total, errors.products) == (3, 1, 1, 0)

    async def test_likeness_is_added_up(self, world: ShadowWorld) -> None:
        await world.record(*map(asked, range(1, 5)))
        nothing = {"control_chars": None, "shadow_chars": None, "same_words": None, "words_in_common": None}
        await world.log.note(
            [
                pair(1, same_words=True, words_in_common=1.0, shadow_findings="truncated,repetitive"),
                pair(2, control_findings="refusal", shadow_findings="refusal"),
                pair(3, same_turn=False, **nothing),
                pair(4, same_turn=None, **nothing),
            ]
        )

        found = (await world.log.figures(BY_USER))["mirror"].likeness

        assert found is not None
        assert (found.turns, found.same_turn, found.compared, found.same_words) == (3, 2, 2, 1)
        assert (found.words_in_common, found.control_chars, found.shadow_chars) == (1.5, 20, 10)
        assert found.control_findings == {"refusal": 1}
        assert found.shadow_findings == {"refusal": 1, "truncated": 1, "repetitive": 1}

    async def test_arms_are_told_apart(self, world: ShadowWorld) -> None:
        await world.record(asked(1))
        await world.log.note([pair(1), pair(1, arm="other", shadow_cost_nano_usd=5)])

        found = await world.log.figures(BY_USER)

        assert {arm: of.pairs[Metric.COST].arm.total for arm, of in found.items()} == {
            "mirror": 100.0,
            "other": 5.0,
        }

    async def test_a_pair_is_noted_once(self, world: ShadowWorld) -> None:
        await world.record(asked(1))
        await world.log.note([pair(1), pair(1, shadow_cost_nano_usd=5)])
        await world.log.note([pair(1, shadow_cost_nano_usd=6)])

        assert (await world.log.figures(BY_USER))["mirror"].pairs[Metric.COST].arm.total == 100.0

    async def test_what_has_no_usage_row_any_more_is_left_out(self, world: ShadowWorld) -> None:
        await world.log.note([pair(1)])

        assert await world.log.figures(BY_USER) == {}

    async def test_what_was_counted_since_then_is_told(self, world: ShadowWorld) -> None:
        await world.log.note(
            [
                pair(1, counted_nano_usd=1),
                pair(2, counted_nano_usd=20),
                pair(3, counted_nano_usd=300, tenant_id="other"),
                pair(4, counted_nano_usd=4000, experiment_id="exp_2", arm="x"),
                pair(5, counted_nano_usd=50_000, experiment_id="exp_3"),
            ]
        )

        found = await world.log.counted(["exp_1", "exp_2", "exp_9"], STARTED_AT_US + 2)

        assert found == {("exp_1", "mirror"): 320, ("exp_2", "x"): 4000}

    async def test_what_is_older_is_purged(self, world: ShadowWorld) -> None:
        await world.record(asked(1), asked(2))
        await world.log.note([pair(1), pair(2)])

        assert await world.log.purge(STARTED_AT_US + 2) == 1
        assert await world.log.purge(STARTED_AT_US + 2) == 0
        assert (await world.log.figures(BY_USER))["mirror"].requests == 1

    async def test_an_unreachable_log_says_so(self, unreachable_log: ShadowLog) -> None:
        for work in (
            unreachable_log.note([pair(1)]),
            unreachable_log.figures(BY_USER),
            unreachable_log.counted(["exp_1"], 0),
            unreachable_log.purge(0),
        ):
            with pytest.raises(StoreUnavailable):
                await work
