"""What every DecisionLog promises."""

from typing import Any, Protocol

import pytest

from application.ports.decision_log import COUNTED_CACHES, COUNTED_OUTCOMES, DecisionLog, DecisionsWanted
from contracts.ports._base import PortContract
from contracts.ports.usage import STARTED_AT_US, usage_event
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable

WANTED = DecisionsWanted("acme", "chat", STARTED_AT_US, STARTED_AT_US + 1_000)


def decided(number: int, **changes: Any) -> RequestEvent:
    values: dict[str, Any] = {
        "route": "chat",
        "strategy": "weighted",
        "planned": "acme/small,other/large",
        "propensity": 0.7,
        "candidates": 2,
        "started_at_us": STARTED_AT_US + number,
    }
    return usage_event(number, **(values | changes))


class DecisionLogWorld(Protocol):
    @property
    def log(self) -> DecisionLog: ...

    async def record(self, *events: RequestEvent) -> None: ...

    async def score(self, event: RequestEvent, score: float, source: str) -> None: ...


class DecisionLogContract(PortContract):
    """Bind `world`, and `unreachable_log`: the same adapter with its backend gone."""

    @pytest.fixture
    def world(self) -> DecisionLogWorld:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_log(self) -> DecisionLog:
        raise NotImplementedError

    async def test_nothing_recorded_is_nothing_decided(self, world: DecisionLogWorld) -> None:
        assert list(await world.log.newest(WANTED, limit=10)) == []

    async def test_a_decision_is_read_as_it_was_recorded(self, world: DecisionLogWorld) -> None:
        said = {
            "session_id": "s", "user_id": "u", "outcome": "error", "fallbacks": 1, "affinity": "kept",
            "task": "code", "request_bytes": 321, "cost_nano_usd": None, "experiment": "e", "arm": "x",
            "demands": "residency=eu", "propensity": 0.125,
        }  # fmt: skip
        await world.record(decided(1, **said))

        (record,) = await world.log.newest(WANTED, limit=10)

        assert {name: getattr(record, name) for name in said} == said
        assert (record.first, record.score, record.candidates) == ("acme/small", None, 2)
        assert (record.input_tokens, record.output_tokens, record.duration_us) == (10, 20, 1000)

    async def test_the_newest_come_first_and_no_more_than_asked_for(self, world: DecisionLogWorld) -> None:
        await world.record(*(decided(number) for number in (1, 3, 2)))

        found = await world.log.newest(WANTED, limit=2)

        assert [each.started_at_us - STARTED_AT_US for each in found] == [3, 2]

    @pytest.mark.parametrize(
        "changes",
        [
            {"tenant_id": "other"},
            {"route": "another"},
            {"started_at_us": STARTED_AT_US - 1},
            {"started_at_us": STARTED_AT_US + 1_000},
            {"planned": ""},
            {"outcome": "refused"},
            {"cache": "hit-exact"},
            {"cache": "audit"},
            {"cache": "refresh"},
        ],
    )
    async def test_what_was_not_decided_for_a_caller_of_this_tenant_and_time_is_left_out(
        self, world: DecisionLogWorld, changes: dict[str, Any]
    ) -> None:
        await world.record(decided(1, **changes))

        assert list(await world.log.newest(WANTED, limit=10)) == []

    @pytest.mark.parametrize("cache", COUNTED_CACHES)
    async def test_whatever_the_cache_did_not_answer_counts(
        self, world: DecisionLogWorld, cache: str
    ) -> None:
        await world.record(decided(1, cache=cache))

        assert len(await world.log.newest(WANTED, limit=10)) == 1

    @pytest.mark.parametrize("outcome", COUNTED_OUTCOMES)
    async def test_whatever_was_not_refused_counts(self, world: DecisionLogWorld, outcome: str) -> None:
        await world.record(decided(1, outcome=outcome))

        assert len(await world.log.newest(WANTED, limit=10)) == 1

    async def test_scores_are_the_mean_of_what_was_said(self, world: DecisionLogWorld) -> None:
        scored, unscored, others = decided(1), decided(2), decided(3, tenant_id="other")
        await world.record(scored, unscored, others)
        await world.score(scored, 1.0, "user")
        await world.score(scored, 0.5, "judge")
        await world.score(others, 0.1, "user")

        found = await world.log.newest(WANTED, limit=10)

        assert [each.score for each in found] == [None, 0.75]

    async def test_an_unreachable_log_says_so(self, unreachable_log: DecisionLog) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_log.newest(WANTED, limit=10)
