"""An integration that moves to another side: no moment at which that side could be sent the old secret."""

from typing import Any

import pytest

from adapters.memory.connector import MemorySide
from domain.connectors.integration import Integration
from domain.errors import Conflict, StoreUnavailable, VaultLocked
from tests.unit.connectors.integration_world import (
    TOKEN,
    IntegrationWorld,
    asked,
    caller,
    integration_world,
)

OWNER = caller()
OTHER = "a-token-of-the-other-side"


async def made() -> IntegrationWorld:
    world = integration_world({"guarded": MemorySide(token=TOKEN), "other": MemorySide(token=OTHER)})
    await world.manage.create(OWNER, asked())
    return world


async def test_the_old_secret_is_gone_before_another_endpoint_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await made()
    seen: list[tuple[str, dict[str, str]]] = []
    change = world.store.change

    async def watched(integration: Integration, **more: Any) -> None:
        await change(integration, **more)
        seen.append((integration.endpoint, await world.secrets()))

    monkeypatch.setattr(world.store, "change", watched)

    await world.manage.replace(OWNER, "box", asked(side="other", token=OTHER))

    assert seen == [("memory://other", {})]
    assert await world.secrets() == {"box.token": OTHER}
    assert (await world.manage.test(OWNER, "box")).check.up


async def test_a_move_that_fails_in_the_vault_leaves_everything_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await made()
    change = world.store.change

    async def locking(integration: Integration, **more: Any) -> None:
        await change(integration, **more)
        world.vaults.keys.reachable = False

    monkeypatch.setattr(world.store, "change", locking)

    with pytest.raises(VaultLocked):
        await world.manage.replace(OWNER, "box", asked(side="other", token=OTHER))

    world.vaults.keys.reachable = True
    assert (await world.manage.one(OWNER, "box")).integration.endpoint == "memory://guarded"
    assert await world.secrets() == {"box.token": TOKEN}
    assert (await world.manage.test(OWNER, "box")).check.up


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Conflict("somebody else changed it")])
async def test_a_move_that_is_not_stored_keeps_the_secret(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world = await made()

    async def refusing(_integration: Integration, **_more: Any) -> None:
        raise error

    monkeypatch.setattr(world.store, "change", refusing)

    with pytest.raises(type(error)):
        await world.manage.replace(OWNER, "box", asked(side="other", token=OTHER))

    assert await world.secrets() == {"box.token": TOKEN}
