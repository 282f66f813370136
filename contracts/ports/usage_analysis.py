"""What everyone promises who sums usage up or reads it row by row."""

import random
from typing import Any, Protocol

import pytest

from application.ports.usage import UsageLog
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery
from application.ports.usage_rows import RequestPlace, RollupPlace, UsageRows
from contracts.ports._base import PortContract
from contracts.ports.usage import STARTED_AT_US, attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.analytics.reconciliation import Recorded
from domain.analytics.rollup import DAY_US, HOUR_US, RollupSums, group_id

FIELDS = {
    UsageDimension.TENANT: "tenant_id",
    UsageDimension.KEY: "key_id",
    UsageDimension.TEAM: "team",
    UsageDimension.PROJECT: "project",
    UsageDimension.COST_CENTER: "cost_center",
    UsageDimension.AGENT: "agent_id",
    UsageDimension.SESSION: "session_id",
    UsageDimension.ROUTE: "route",
    UsageDimension.OPERATION: "operation",
    UsageDimension.PROVIDER: "provider",
    UsageDimension.MODEL: "model",
    UsageDimension.CACHE: "cache",
    UsageDimension.TASK: "task",
    UsageDimension.OUTCOME: "outcome",
}


def anything(number: int, draw: random.Random) -> RequestEvent:
    """A request like many others, so that groups have more than one."""
    request_id = f"req_{number:012d}"
    tries = draw.randrange(4)
    changes: dict[str, Any] = {name: draw.choice(("", "a", "b")) for name in FIELDS.values()}
    changes |= {
        "tenant_id": draw.choice(("acme", "other", "third")),
        "outcome": draw.choice(("ok", "ok", "error", "cancelled")),
        "cache": draw.choice(("off", "a", "miss", "hit-l1", "hit-semantic")),
        "saved_nano_usd": draw.choice((None, 0, draw.randrange(2**54))),
        "cache_similarity": draw.choice((None, draw.random())),
        "started_at_us": STARTED_AT_US + draw.randrange(3 * DAY_US),
        "duration_us": draw.randrange(10**8),
        "upstream_us": draw.randrange(10**8),
        "first_token_us": draw.choice((None, 0, draw.randrange(10**7))),
        "input_tokens": draw.randrange(10**6),
        "cached_read_tokens": draw.randrange(10**6),
        "cache_write_tokens": draw.randrange(10**6),
        "reasoning_tokens": draw.randrange(10**6),
        "cost_nano_usd": draw.choice((None, 0, draw.randrange(2**54))),
        "estimated": draw.random() < 0.3,
        "attempts": tuple(
            attempt(
                request_id,
                ordinal,
                cost_nano_usd=draw.choice((None, draw.randrange(2**52))),
                cached_read_tokens=draw.choice((0, 5)),
                cache_write_long_tokens=draw.choice((0, 7)),
                prompt_cache_saved_nano_usd=draw.choice((None, draw.randrange(-(2**50), 2**52))),
            )
            for ordinal in range(tries)
        ),
    }
    return usage_event(number, tries=tries, **changes)


def sums_of(events: list[RequestEvent]) -> RollupSums:
    """The same by counting, one field after the other."""
    tries = [one for event in events for one in event.attempts]
    return RollupSums(
        requests=len(events),
        ok_requests=len([event for event in events if event.outcome == "ok"]),
        attempts=len(tries),
        input_tokens=sum(event.input_tokens for event in events),
        output_tokens=sum(event.output_tokens for event in events),
        cached_read_tokens=sum(event.cached_read_tokens for event in events),
        cache_write_tokens=sum(event.cache_write_tokens for event in events),
        reasoning_tokens=sum(event.reasoning_tokens for event in events),
        cost_nano_usd=sum(event.cost_nano_usd or 0 for event in events),
        attempt_cost_nano_usd=sum(one.cost_nano_usd or 0 for one in tries),
        unpriced_requests=len([event for event in events if event.cost_nano_usd is None]),
        estimated_requests=len([event for event in events if event.estimated]),
        duration_us=sum(event.duration_us for event in events),
        upstream_us=sum(event.upstream_us for event in events),
        first_token_us=sum(event.first_token_us or 0 for event in events),
        first_token_requests=len([event for event in events if event.first_token_us is not None]),
        cache_lookups=len([event for event in events if event.cache in ("miss", "hit-l1", "hit-semantic")]),
        cache_hits=len([event for event in events if event.cache.startswith("hit-")]),
        saved_nano_usd=sum(event.saved_nano_usd or 0 for event in events),
        unpriced_hits=len(
            [event for event in events if event.cache.startswith("hit-") and event.saved_nano_usd is None]
        ),
        prompt_cache_saved_nano_usd=sum(one.prompt_cache_saved_nano_usd or 0 for one in tries),
        unpriced_prompt_cache_attempts=len(
            [
                one
                for one in tries
                if one.prompt_cache_saved_nano_usd is None
                and one.cached_read_tokens + one.cache_write_long_tokens > 0
            ]
        ),
    )


class AnalysisWorld(Protocol):
    """A log, and what reads what it wrote."""

    @property
    def log(self) -> UsageLog: ...

    @property
    def query(self) -> UsageQuery: ...

    @property
    def rows(self) -> UsageRows: ...


class UsageAnalysisContract(PortContract):
    """Bind `world`."""

    @pytest.fixture
    def world(self) -> AnalysisWorld:
        raise NotImplementedError

    async def filled(self, world: AnalysisWorld, count: int, seed: int = 1) -> list[RequestEvent]:
        draw = random.Random(seed)
        events = [anything(number, draw) for number in range(count)]
        for part in range(0, count, 50):
            for event in events[part : part + 50]:
                world.log.record(event)
            await world.log.flush()
        return events

    async def test_sums_are_those_of_the_requests_whatever_is_asked(self, world: AnalysisWorld) -> None:
        """Whole hours and odd moments, what roll-ups know and what they do not: nothing changes the sums."""
        events = await self.filled(world, 300)
        draw = random.Random(7)
        for _ in range(60):
            by = tuple(draw.sample(list(FIELDS), draw.randrange(4)))
            step = draw.choice((HOUR_US, DAY_US, 1))
            ends = sorted(
                STARTED_AT_US + draw.randrange(-DAY_US, 4 * DAY_US) // step * step for _ in range(2)
            )
            limited = ((draw.choice(list(FIELDS)[1:-1]), tuple(draw.sample(("", "a", "b"), 2))),)
            where = UsageFilter(
                tenant_id=draw.choice((None, "acme")),
                from_us=draw.choice((None, ends[0])),
                to_us=draw.choice((None, ends[1])),
                only=limited if draw.random() < 0.5 else (),
            )
            groups: dict[tuple[str, ...], list[RequestEvent]] = {} if by else {(): []}
            for event in events:
                if (
                    where.tenant_id in (None, event.tenant_id)
                    and (where.from_us is None or event.started_at_us >= where.from_us)
                    and (where.to_us is None or event.started_at_us < where.to_us)
                    and all(getattr(event, FIELDS[one]) in values for one, values in where.only)
                ):
                    groups.setdefault(tuple(getattr(event, FIELDS[one]) for one in by), []).append(event)

            rows = await world.query.totals(where, by, limit=10_000)

            assert {row.key: row[1:] for row in rows} == {
                key: tuple(sums_of(found)) for key, found in groups.items()
            }, (where, by)
            assert [row.cost_nano_usd for row in rows] == sorted(
                (row.cost_nano_usd for row in rows), reverse=True
            )

    async def test_groups_come_in_the_order_asked_for(self, world: AnalysisWorld) -> None:
        for number, (day, cost) in enumerate(((2, 9), (0, 5), (1, 7), (1, 1))):
            world.log.record(
                usage_event(number, cost_nano_usd=cost, started_at_us=STARTED_AT_US + day * DAY_US)
            )
        await world.log.flush()

        async def days(order: UsageOrder) -> list[str]:
            rows = await world.query.totals(UsageFilter(), (UsageDimension.DAY,), order=order)
            return [row.key[0][-1] for row in rows]

        assert await days(UsageOrder.COST) == ["3", "2", "1"]
        assert await days(UsageOrder.REQUESTS) == ["2", "3", "1"]
        assert await days(UsageOrder.KEY) == ["1", "2", "3"]

    async def test_months_days_and_hours_are_utc(self, world: AnalysisWorld) -> None:
        for number, day in enumerate((0, 30, 31, 58, 59, 365)):
            world.log.record(usage_event(number, started_at_us=STARTED_AT_US + day * DAY_US))
        await world.log.flush()

        rows = await world.query.totals(UsageFilter(), (UsageDimension.MONTH,))

        assert {row.key[0]: row.requests for row in rows} == {
            "2026-01": 2,
            "2026-02": 2,
            "2026-03": 1,
            "2027-01": 1,
        }

    async def test_who_pays_is_told_apart(self, world: AnalysisWorld) -> None:
        world.log.record(usage_event(1, team="search", project="crawl", cost_center="CC-1"))
        world.log.record(usage_event(2, team="search", project="rank", cost_nano_usd=5))
        world.log.record(usage_event(3, cost_nano_usd=7))
        await world.log.flush()

        teams = await world.query.totals(UsageFilter(), (UsageDimension.TEAM,))
        search = UsageFilter(only=((UsageDimension.TEAM, ("search",)),))
        projects = await world.query.totals(search, (UsageDimension.PROJECT, UsageDimension.COST_CENTER))

        assert {row.key[0]: row.cost_nano_usd for row in teams} == {"search": 1005, "": 7}
        assert {row.key: row.cost_nano_usd for row in projects} == {("crawl", "CC-1"): 1000, ("rank", ""): 5}

    async def test_sums_of_one_group_grow_over_many_writes(self, world: AnalysisWorld) -> None:
        for number in range(5):
            world.log.record(usage_event(number, cost_nano_usd=2**53 + number))
            await world.log.flush()

        (row,) = await world.query.totals(UsageFilter(), (UsageDimension.KEY,))

        assert (row.requests, row.cost_nano_usd) == (5, 5 * 2**53 + 10)

    async def test_an_absurd_amount_holds_up_nothing(self, world: AnalysisWorld) -> None:
        for number in range(3):
            tried = attempt(f"req_{number:012d}", 0, prompt_cache_saved_nano_usd=-(2**62))
            world.log.record(
                usage_event(number, upstream_us=2**62 + 2**61, reasoning_tokens=-5, attempts=(tried,))
            )
            await world.log.flush()

        (row,) = await world.query.totals(UsageFilter(), (UsageDimension.KEY,))

        assert row.requests == 3

    async def test_requests_are_read_in_pages_oldest_first(self, world: AnalysisWorld) -> None:
        events = await self.filled(world, 120)
        where = UsageFilter(from_us=STARTED_AT_US + HOUR_US, to_us=STARTED_AT_US + DAY_US)
        asked = [event for event in events if where.from_us <= event.started_at_us < where.to_us]  # type: ignore[operator]

        found: list[RequestEvent] = []
        for tenant in await world.rows.tenants(where):
            after: RequestPlace | None = None
            while page := await world.rows.requests(tenant, where, after=after, limit=7, attempts=True):
                assert len(page) <= 7
                after = RequestPlace(page[-1].started_at_us, page[-1].request_id)
                found += page

        assert found == sorted(
            asked, key=lambda event: (event.tenant_id, event.started_at_us, event.request_id)
        )

    async def test_requests_of_the_same_moment_are_all_read(self, world: AnalysisWorld) -> None:
        for number in range(9):
            world.log.record(usage_event(number))
        await world.log.flush()

        first = await world.rows.requests("acme", UsageFilter(), after=None, limit=4, attempts=False)
        place = RequestPlace(first[-1].started_at_us, first[-1].request_id)
        rest = await world.rows.requests("acme", UsageFilter(), after=place, limit=9, attempts=False)

        assert [event.request_id for event in first + rest] == [f"req_{number:012d}" for number in range(9)]
        assert all(event.attempts == () for event in first + rest)

    async def test_single_requests_can_be_filtered_by_what_roll_ups_do_not_know(
        self, world: AnalysisWorld
    ) -> None:
        for number in range(6):
            request_id = f"req_{number:012d}"
            last = attempt(request_id, 0, credential=f"key{number % 2}")
            world.log.record(usage_event(number, agent_id=f"agent{number % 3}", attempts=(last,)))
        await world.log.flush()
        where = UsageFilter(
            only=((UsageDimension.AGENT, ("agent0", "agent1")), (UsageDimension.CREDENTIAL, ("key1",)))
        )

        found = await world.rows.requests("acme", where, after=None, limit=9, attempts=False)

        assert [event.request_id[-1] for event in found] == ["1", "3"]

    async def test_roll_ups_are_read_in_pages_by_hour(self, world: AnalysisWorld) -> None:
        events = await self.filled(world, 100)
        mine = [event for event in events if event.tenant_id == "acme"]

        places: list[RollupPlace] = []
        requests = cost = 0
        after: RollupPlace | None = None
        while page := await world.rows.rollups("acme", UsageFilter(), after=after, limit=9):
            places += [RollupPlace(row.key.hour_us, group_id(row.key)) for row in page]
            requests += sum(row.sums.requests for row in page)
            cost += sum(row.sums.cost_nano_usd for row in page)
            after = places[-1]

        assert places == sorted(set(places))
        assert (requests, cost) == (len(mine), sums_of(mine).cost_nano_usd)
        assert {place.hour_us % HOUR_US for place in places} == {0}

    async def test_what_a_provider_should_have_billed_is_told_by_day_and_model(
        self, world: AnalysisWorld
    ) -> None:
        def tried(number: int, *attempts: dict[str, Any]) -> None:
            request_id = f"req_{number:012d}"
            rows = tuple(
                attempt(request_id, place, **{"started_at_us": STARTED_AT_US, **changes})
                for place, changes in enumerate(attempts)
            )
            world.log.record(usage_event(number, attempts=rows))

        tried(1, {"outcome": "unresolved", "cost_nano_usd": 50, "estimated": True}, {"cost_nano_usd": 10})
        tried(2, {"cost_nano_usd": 7, "estimated": True}, {"cost_nano_usd": None})
        tried(3, {"billed_as": "caller", "cost_nano_usd": 0}, {"provider": "rival"})
        tried(4, {"started_at_us": STARTED_AT_US + DAY_US, "model": "large"})
        tried(5, {"started_at_us": STARTED_AT_US + 2 * DAY_US})
        await world.log.flush()

        start = STARTED_AT_US // DAY_US * DAY_US
        rows = await world.rows.recorded("acme", start, start + 2 * DAY_US)

        assert rows == [
            Recorded("2026-01-01", "small", 4, 10, 1, 7, 1, 50, 1),
            Recorded("2026-01-02", "large", 1, 600, 0, 0, 0, 0, 0),
        ]
