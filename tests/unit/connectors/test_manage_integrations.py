"""Making and changing integrations: everything or nothing, in two stores."""

import asyncio
from typing import Any

import pytest

from application.tools.declared import DeclaredIntegrations
from domain.connectors.integration import IntegrationState
from domain.errors import (
    Conflict,
    Forbidden,
    IntegrationExists,
    IntegrationUnavailable,
    InterchangeError,
    NotFound,
    OwnedByFile,
    StoreUnavailable,
    VaultLocked,
)
from domain.vault.credential import NewCredential
from tests.unit.connectors.integration_world import TOKEN, asked, caller, declared, integration_world
from tests.unit.vault.vault_world import secret

OWNER = caller()


async def test_nothing_is_kept_where_the_vault_is_locked() -> None:
    world = integration_world()
    world.vaults.keys.reachable = False

    with pytest.raises(VaultLocked):
        await world.manage.create(OWNER, asked())

    assert await world.store.all() == []
    world.vaults.keys.reachable = True
    assert await world.secrets() == {}


async def test_nothing_is_kept_of_what_cannot_be_reached() -> None:
    world = integration_world()
    world.sides["guarded"].reachable = False

    with pytest.raises(IntegrationUnavailable):
        await world.manage.create(OWNER, asked())

    assert (await world.store.all(), await world.secrets()) == ([], {})


async def test_of_many_who_make_the_same_one_succeeds_and_its_secret_stays() -> None:
    world = integration_world()

    answers = await asyncio.gather(
        *(world.manage.create(OWNER, asked()) for _ in range(5)), return_exceptions=True
    )

    assert sum(isinstance(answer, IntegrationExists) for answer in answers) == 4
    assert await world.secrets() == {"box.token": TOKEN}
    assert (await world.manage.test(OWNER, "box")).check.up


async def test_a_caller_who_leaves_leaves_nothing_half_done() -> None:
    world = integration_world()
    making = asyncio.ensure_future(world.manage.create(OWNER, asked()))
    for _ in range(3):
        await asyncio.sleep(0)

    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await asyncio.sleep(0.05)

    rows, secrets = await world.store.all(), await world.secrets()
    assert (len(rows), len(secrets)) in ((0, 0), (1, 1))


async def test_a_change_whose_secret_cannot_be_kept_is_taken_back() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())
    [before] = await world.store.all()
    world.sides["guarded"].token = None
    world.vaults.keys.reachable = False

    with pytest.raises(InterchangeError):
        await world.manage.replace(OWNER, "box", asked(token="another", greeting="hello"))

    [after] = await world.store.all()
    assert after.configuration == before.configuration
    world.vaults.keys.reachable = True
    assert await world.secrets() == {"box.token": TOKEN}


async def test_somebody_elses_credential_is_neither_taken_nor_overwritten() -> None:
    world = integration_world()
    other = NewCredential(tenant_id="acme", name="box.token", integration="provider")
    await world.vaults.vault.put(other, secret("theirs"), "key_2")

    with pytest.raises(Conflict):
        await world.manage.create(OWNER, asked())

    assert await world.secrets() == {"box.token": "theirs"}
    assert await world.store.all() == []


async def test_to_name_a_credential_takes_its_own_permission() -> None:
    world = integration_world()
    await world.vaults.vault.put(
        NewCredential(tenant_id="acme", name="t", integration="shared"), secret(TOKEN), "k"
    )
    narrow = caller(permissions=frozenset({"integrations.write", "integrations.read"}))

    with pytest.raises(Forbidden):
        await world.manage.create(narrow, asked(token={"credential": "t"}))

    made = await world.manage.create(OWNER, asked(token={"credential": "t"}))
    assert made.integration.credentials == {"token": "t"}
    await world.manage.remove(OWNER, "box")
    assert await world.secrets() == {"t": TOKEN}


async def test_a_new_secret_is_in_use_and_the_old_one_gone() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())
    first = await world.book.ready(world.book.find(OWNER, "box"))
    world.sides["guarded"].token = "turned"

    await world.manage.replace(OWNER, "box", asked(token="turned"))

    again = await world.book.ready(world.book.find(OWNER, "box"))
    assert again is not first
    assert await again.check() == {"entries": 0}
    assert await world.secrets() == {"box.token": "turned"}
    await world.book.aclose()


async def test_an_authentication_without_secrets_takes_them_along() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())
    world.sides["guarded"].token = None
    plain = asked()
    plain.configuration["authentication"] = {"type": "none"}

    changed = await world.manage.replace(OWNER, "box", plain)

    assert changed.integration.credentials == {}
    assert await world.secrets() == {}


async def test_what_is_paused_can_be_changed_without_being_reached() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())
    world.sides["guarded"].reachable = False
    await world.manage.set_state(OWNER, "box", IntegrationState.DISABLED)

    changed = await world.manage.replace(OWNER, "box", asked(token=..., greeting="hello"))

    assert changed.integration.state is IntegrationState.DISABLED
    assert changed.integration.version == 3


async def test_a_store_that_is_away_is_said_to_be() -> None:
    world = integration_world()
    world.store.reachable = False

    with pytest.raises(StoreUnavailable):
        await world.manage.create(OWNER, asked())
    world.store.reachable = True
    assert await world.secrets() == {}


async def test_tenants_and_bound_keys_see_their_own() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked("box"))
    await world.manage.create(OWNER, asked("other"))
    bound = caller(integrations=frozenset({"bo*"}))

    records, more = await world.manage.page(bound, limit=1)
    stranger, _ = await world.manage.page(caller("globex"), limit=9)

    assert [record.integration.integration_id for record in records] == ["box"]
    assert (more, stranger) == (False, [])
    for by, name in ((bound, "other"), (caller("globex"), "box")):
        for act in (world.manage.one, world.manage.test, world.manage.remove, world.manage.health):
            with pytest.raises(NotFound):
                await act(by, name)
    with pytest.raises(Forbidden):
        await world.manage.one(caller("globex"), "box", "acme")


async def test_pages_go_through_all_of_a_long_list() -> None:
    world = integration_world()
    for number in range(7):
        await world.manage.create(OWNER, asked(f"box-{number}"))
    every = (declared("box-3a"), declared("zoo", tenant_id="*"))
    await world.follow.start(DeclaredIntegrations(every))

    names: list[str] = []
    more: Any = True
    while more:
        records, more = await world.manage.page(OWNER, limit=2, after=names[-1] if names else "")
        names += [record.integration.integration_id for record in records]

    assert names == sorted(names)
    assert names == [*(f"box-{n}" for n in range(4)), "box-3a", *(f"box-{n}" for n in range(4, 7)), "zoo"]


async def test_what_the_file_declares_is_left_alone() -> None:
    world = integration_world()
    await world.follow.start(DeclaredIntegrations((declared(),)))

    for act in (
        world.manage.create(OWNER, asked("shelf")),
        world.manage.replace(OWNER, "shelf", asked("shelf")),
        world.manage.remove(OWNER, "shelf"),
        world.manage.set_state(OWNER, "shelf", IntegrationState.DISABLED),
    ):
        with pytest.raises(OwnedByFile):
            await act
    assert (await world.manage.test(OWNER, "shelf")).check.up
