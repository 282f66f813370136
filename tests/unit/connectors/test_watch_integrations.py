"""Looking at integrations from time to time."""

import asyncio

import pytest

from application.tools.declared import DeclaredIntegrations
from application.use_cases.watch_integrations import WatchIntegrations
from domain.connectors.health import HealthCheck, HealthState
from domain.connectors.integration import Integration, IntegrationState
from tests.unit.connectors.integration_world import asked, caller, declared, integration_world

OWNER = caller()


async def test_of_two_instances_one_looks_and_both_know() -> None:
    world = integration_world()
    other = world.another()
    for each in (world, other):
        await each.follow.start(DeclaredIntegrations((declared(),)))

    await world.watch.look_at_all()
    await other.watch.look_at_all()

    assert world.sides["open"].checks == 1
    for each in (world, other):
        found = each.board.latest("acme", "shelf")
        assert found is not None
        assert found.state is HealthState.HEALTHY


async def test_changes_of_state_are_told_once() -> None:
    world = integration_world()
    told: list[tuple[str, str]] = []

    def note(_of: Integration, before: HealthCheck | None, now: HealthCheck) -> None:
        told.append(("new" if before is None else before.state, now.state))

    world.board.on_change = note
    await world.follow.start(DeclaredIntegrations((declared(),)))
    for reachable in (True, True, False, False, False, True):
        world.sides["open"].reachable = reachable
        world.clock.now_s += 100
        await world.watch.look_at_all()

    assert told == [
        ("new", "healthy"),
        ("healthy", "degraded"),
        ("degraded", "unhealthy"),
        ("unhealthy", "healthy"),
    ]
    page = await world.store.history("acme", "shelf", limit=10)
    assert [check.failures for check in page] == [0, 3, 2, 1, 0, 0]


async def test_what_is_paused_or_unwatched_is_left_alone() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked("box", "open"))
    checks = world.sides["open"].checks
    world.clock.now_s += 1
    await world.manage.set_state(OWNER, "box", IntegrationState.MAINTENANCE)
    await world.follow.start(DeclaredIntegrations((declared(monitoring={"enabled": False}),)))

    await world.watch.look_at_all()

    assert world.sides["open"].checks == checks
    paused = await world.store.latest("acme", "box")
    assert paused is not None
    assert paused.state is HealthState.MAINTENANCE


async def test_one_that_cannot_be_opened_is_unhealthy_and_says_why() -> None:
    world = integration_world()
    await world.follow.start(DeclaredIntegrations((declared("lost", "nowhere"), declared())))

    await world.watch.look_at_all()

    lost, shelf = world.board.latest("acme", "lost"), world.board.latest("acme", "shelf")
    assert lost is not None
    assert shelf is not None
    assert (lost.state, shelf.state) == (HealthState.UNHEALTHY, HealthState.HEALTHY)
    assert "cannot be reached" in lost.error


async def test_a_store_that_is_away_keeps_nobody_from_looking_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("application.use_cases.watch_integrations.LOOK_EVERY_S", 0.001)
    world = integration_world()
    await world.follow.start(DeclaredIntegrations((declared(),)))
    world.store.reachable = False
    running = asyncio.ensure_future(_run(world.watch))
    await asyncio.sleep(0.02)
    world.store.reachable = True
    while world.sides["open"].checks == 0:
        world.clock.now_s += 10
        await asyncio.sleep(0.005)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def _run(watch: WatchIntegrations) -> None:
    await watch.run()
