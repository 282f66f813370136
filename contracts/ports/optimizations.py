"""What every store of recommendations promises."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from application.ports.optimizations import KEPT_PER_TENANT_MAX, Optimizations
from contracts.ports._base import PortContract
from domain.analytics.estimate import Estimate
from domain.analytics.recommendation import Kind, Recommendation, Status, optimization_id
from domain.errors import StoreUnavailable

NOW_US = 1_772_368_215_123_456
SAVING = Estimate(800, 1000, 1200)


def recommendation(subject: str = "route=assistant", **changes: Any) -> Recommendation:
    """One of tenant `acme`."""
    values: dict[str, Any] = {
        "optimization_id": optimization_id("acme", Kind.MOVE, subject),
        "tenant_id": "acme",
        "analytics_id": "00000000-0000-8000-8000-000000000000",
        "kind": Kind.MOVE,
        "subject": subject,
        "sentence": "Move it.",
        "evidence": {"requests": 100, "Ω": ["ä", None]},
        "saving": SAVING,
        "status": Status.OPEN,
        "created_at_us": NOW_US,
        "seen_at_us": NOW_US,
    }
    return Recommendation(**(values | changes))


class OptimizationsContract(PortContract):
    """Bind `optimizations`, and `unreachable_optimizations`: the same adapter with its backend gone."""

    @pytest.fixture
    def optimizations(self) -> Optimizations:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_optimizations(self) -> Optimizations:
        raise NotImplementedError

    async def test_nothing_is_found_at_first(self, optimizations: Optimizations) -> None:
        assert await optimizations.of("acme") == []

    async def test_what_was_found_is_kept_whole(self, optimizations: Optimizations) -> None:
        plain = recommendation("key=a", kind=Kind.OUTLIER, saving=None)
        await optimizations.keep("acme", [plain, recommendation()])

        assert await optimizations.of("acme") == [recommendation(), plain]
        assert await optimizations.of("other") == []

    async def test_looking_again_keeps_id_and_decision_and_takes_new_figures(
        self, optimizations: Optimizations
    ) -> None:
        await optimizations.keep("acme", [recommendation()])
        (first,) = await optimizations.of("acme")
        await optimizations.decide(
            "acme", first.optimization_id, Status.DISMISSED, by="Key000000001", at_us=NOW_US + 1
        )
        again = recommendation(
            saving=Estimate(1, 2, 3), created_at_us=NOW_US + 9, seen_at_us=NOW_US + 9, sentence="Now."
        )
        await optimizations.keep("acme", [again])

        (kept,) = await optimizations.of("acme")
        assert kept == replace(
            again,
            created_at_us=NOW_US,
            status=Status.DISMISSED,
            decided_by="Key000000001",
            decided_at_us=NOW_US + 1,
        )

    async def test_what_is_not_found_any_more_expires_or_is_done(self, optimizations: Optimizations) -> None:
        names = ("route=open", "route=accepted", "route=dismissed")
        found = {name: recommendation(name) for name in names}
        await optimizations.keep("acme", list(found.values()))
        for name, status in zip(names[1:], (Status.ACCEPTED, Status.DISMISSED), strict=True):
            await optimizations.decide("acme", found[name].optimization_id, status, by="k", at_us=NOW_US)
        await optimizations.keep("acme", [])

        kept = {one.subject: one.status for one in await optimizations.of("acme")}
        assert kept == {
            "route=open": Status.EXPIRED,
            "route=accepted": Status.DONE,
            "route=dismissed": Status.DISMISSED,
        }

    async def test_what_expired_and_is_found_again_is_open_again(self, optimizations: Optimizations) -> None:
        await optimizations.keep("acme", [recommendation()])
        await optimizations.keep("acme", [])
        await optimizations.keep("acme", [recommendation(seen_at_us=NOW_US + 5)])

        assert await optimizations.of("acme") == [recommendation(seen_at_us=NOW_US + 5)]

    async def test_nobody_decides_about_another_tenants(self, optimizations: Optimizations) -> None:
        await optimizations.keep("acme", [recommendation()])
        mine = recommendation().optimization_id

        assert await optimizations.decide("other", mine, Status.DISMISSED, by="k", at_us=NOW_US) is None
        assert await optimizations.decide("acme", "none", Status.DISMISSED, by="k", at_us=NOW_US) is None
        assert await optimizations.of("acme") == [recommendation()]

    async def test_one_tenants_look_leaves_others_alone(self, optimizations: Optimizations) -> None:
        await optimizations.keep("acme", [recommendation()])
        await optimizations.keep("other", [])

        assert await optimizations.of("acme") == [recommendation()]

    async def test_those_longest_gone_make_room(self, optimizations: Optimizations) -> None:
        old = [recommendation(f"route={number}", seen_at_us=NOW_US + number) for number in range(10)]
        await optimizations.keep("acme", old)
        new = [recommendation(f"route=new{number}") for number in range(KEPT_PER_TENANT_MAX - 5)]
        await optimizations.keep("acme", new)

        kept = await optimizations.of("acme")
        assert len(kept) == KEPT_PER_TENANT_MAX
        assert {one.subject for one in kept if one.status is Status.EXPIRED} == {
            f"route={number}" for number in range(5, 10)
        }

    async def test_looks_at_once_leave_one_of_each(self, optimizations: Optimizations) -> None:
        await asyncio.gather(*(optimizations.keep("acme", [recommendation()]) for _ in range(6)))

        assert await optimizations.of("acme") == [recommendation()]

    async def test_an_unreachable_store_says_so(self, unreachable_optimizations: Optimizations) -> None:
        for ask in (
            unreachable_optimizations.of("acme"),
            unreachable_optimizations.keep("acme", [recommendation()]),
            unreachable_optimizations.decide("acme", "x", Status.ACCEPTED, by="k", at_us=NOW_US),
        ):
            with pytest.raises(StoreUnavailable):
                await ask
