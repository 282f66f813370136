"""The monitor: which alerts it tells of, and of which it does not."""

import json
from dataclasses import replace

import jsonschema
import pytest

from application.ports.alerts import Finding, Saved
from application.sla.watch import LEASE_S
from contracts.events import schemas
from domain.errors import StoreUnavailable
from domain.sla.objective import Aspect, Objective
from domain.sla.rules import BREAKER, RULES
from tests.unit.sla.world import World, requests

FIRED, RESOLVED = "alert.fired", "alert.resolved"
GOOD = requests(100)


async def test_all_is_well_and_nothing_is_told() -> None:
    world = World()

    await world.minutes(90, requests(100, hits=80), providers={"openai": GOOD})

    assert world.told() == []
    assert await world.alerts.all() == []


async def test_a_provider_that_fails_for_five_minutes_is_told_once_and_once_that_it_is_over() -> None:
    world = World()
    await world.minutes(10, GOOD, providers={"openai": GOOD, "azure": GOOD})
    await world.minutes(4, GOOD, providers={"openai": requests(100, failed=20), "azure": GOOD})
    assert world.told() == []

    await world.minutes(6, GOOD, providers={"openai": requests(100, failed=20), "azure": GOOD})
    assert world.told() == [(FIRED, "provider-failures", "openai")]

    await world.minutes(20, GOOD, providers={"openai": GOOD, "azure": GOOD})
    assert world.told() == [
        (FIRED, "provider-failures", "openai"),
        (RESOLVED, "provider-failures", "openai"),
    ]


async def test_what_is_told_is_as_its_schema_says() -> None:
    world = World()
    await world.minutes(12, GOOD, providers={"openai": requests(100, failed=20)})
    await world.minutes(20, GOOD, providers={"openai": GOOD})

    fired, resolved = world.alerts.events
    for event in (fired, resolved):
        jsonschema.validate(json.loads(event.payload), schemas()[event.topic])
    said, over = json.loads(fired.payload), json.loads(resolved.payload)
    assert said["note"] == "20 % of 600 attempts at openai failed; alarm above 5 % for 5 min"
    assert said["runbook"] == "docs/handbook.md#alert-provider-failures"
    assert (over["alert_id"], over["fired_at"]) == (said["alert_id"], said["fired_at"])
    assert over["lasted_s"] > 0
    assert fired.tenant_id == "default"


async def test_few_attempts_are_no_alert() -> None:
    world = World()

    await world.minutes(30, GOOD, providers={"openai": requests(3, failed=3)})

    assert world.told() == []


async def test_requests_that_cost_a_fifth_more_than_the_day_before_are_told() -> None:
    world = World()
    await world.minutes(120, GOOD)
    await world.minutes(14, requests(100, cost_nano_usd=1_190_000))
    assert world.told() == []

    await world.minutes(20, requests(100, cost_nano_usd=1_300_000))
    assert world.told() == [(FIRED, "cost-per-request", "")]


async def test_without_a_day_before_no_cost_is_high() -> None:
    world = World()

    await world.minutes(20, requests(100, cost_nano_usd=1))
    await world.minutes(20, requests(100, cost_nano_usd=1_000_000))

    assert world.told() == []


async def test_a_cache_that_answers_less_than_it_should_for_half_an_hour_is_told() -> None:
    world = World()
    await world.minutes(31, requests(100, hits=50))
    assert world.told() == [(FIRED, "cache-hit-ratio", "")]

    other = World()
    await other.minutes(60, GOOD)
    assert other.told() == []


async def test_slow_requests_are_told() -> None:
    world = World()

    await world.minutes(6, requests(100, slow=20))

    assert world.told() == [(FIRED, "latency-p95", "")]


async def test_a_budget_that_burns_much_too_fast_is_told_and_wakes_nobody_for_a_few_errors() -> None:
    world = World()
    world.change("error-rate", enabled=False)
    await world.minutes(60, requests(1000, failed=20))
    assert (FIRED, "error-budget-burning-fast", "availability") in world.told()

    quiet = World()
    quiet.change("error-rate", enabled=False)
    await quiet.minutes(60, requests(2))
    await quiet.minutes(1, requests(2, failed=2))
    await quiet.minutes(30, requests(2))
    assert quiet.told() == []


async def test_an_objective_of_a_tenant_is_the_tenants_business() -> None:
    world = World()
    mine = Objective(name="mine", aspect=Aspect.AVAILABILITY, target=0.99, tenant_id="acme")
    world.terms = replace(world.terms, objectives=(mine,))
    assert world.terms.scopes().tenants == {"acme"}
    for _ in range(10):
        await world.measures.add(
            {(world.now_us - world.now_us % 60_000_000, "tenant:acme"): requests(100, failed=90)}
        )
        await world.minutes(1)

    assert [(event.topic, event.tenant_id) for event in world.alerts.events] == [(FIRED, "acme")]


async def test_a_breaker_that_stays_open_is_told_whoever_sees_it() -> None:
    world = World()
    other = world.instance()
    await world.first.look()
    world.local = [Finding(BREAKER, "openai/gpt-5", "default", 1.0, "open")]
    await other.look()
    assert world.first.judges and not other.judges
    world.local = []
    for _ in range(30):
        world.clock.advance(15)
        await world.first.look()
        world.local = [Finding(BREAKER, "openai/gpt-5", "default", 1.0, "open")]
        await other.look()
        world.local = []

    assert world.told() == [(FIRED, "breaker-open", "openai/gpt-5")]


async def test_another_instance_goes_on_where_one_died_and_tells_nothing_twice() -> None:
    world = World()
    world.shared = [Finding("budget-nearly-spent", "team", "acme", 0.95, "95 % spent")]
    await world.first.look()
    assert world.told() == [(FIRED, "budget-nearly-spent", "team")]

    other = world.instance()
    await other.look()
    assert not other.judges
    world.clock.advance(LEASE_S)
    await other.look()

    assert other.judges
    assert [each.subject for each in other.firing] == ["team"]
    assert len(world.told()) == 1

    world.shared = []
    for _ in range(30):
        world.clock.advance(15)
        await other.look()
    assert world.told()[1:] == [(RESOLVED, "budget-nearly-spent", "team")]


async def test_a_rule_that_is_switched_off_is_over() -> None:
    world = World()
    world.shared = [Finding("budget-nearly-spent", "team", "acme", 0.95, "95 % spent")]
    await world.first.look()
    world.change("budget-nearly-spent", enabled=False)
    world.clock.advance(15)
    await world.first.look()

    assert world.told()[-1] == (RESOLVED, "budget-nearly-spent", "team")


async def test_a_silence_made_meanwhile_is_not_written_over() -> None:
    world = World()
    world.shared = [Finding("budget-nearly-spent", "team", "acme", 0.95, "95 % spent")]
    await world.first.look()
    (alert,) = await world.alerts.all()
    until_us = world.now_us + 3_600_000_000
    await world.alerts.save([Saved(replace(alert, silenced_until_us=until_us))])
    world.clock.advance(15)
    await world.first.look()

    (alert,) = await world.alerts.all()
    assert alert.silenced_until_us == until_us


async def test_while_the_store_is_away_nothing_changes_and_nothing_is_lost() -> None:
    world = World()
    await world.minutes(12, GOOD, providers={"openai": requests(100, failed=20)})
    world.alerts.reachable = False
    with pytest.raises(StoreUnavailable):
        await world.first.look()
    world.alerts.reachable = True
    await world.first.look()

    assert world.told() == [(FIRED, "provider-failures", "openai")]
    assert [each.rule for each in world.first.firing] == ["provider-failures"]


async def test_a_rule_of_ones_own_looks_at_one_route() -> None:
    world = World()
    mine = replace(
        RULES["latency-p95"], name="fast-is-slow", kind="latency-p95", route="fast", threshold=1, clear_at=1
    )
    world.terms = replace(world.terms, rules={**RULES, mine.name: mine})
    for _ in range(6):
        start_us = world.now_us - world.now_us % 60_000_000
        await world.measures.add({(start_us, "route:fast"): requests(50, slow=50)})
        await world.minutes(1, GOOD)

    assert world.told() == [(FIRED, "fast-is-slow", "route:fast")]
    assert json.loads(world.alerts.events[0].payload)["runbook"].endswith("#alert-latency-p95")
