"""What calls find: as it is declared and stored, and opened anew when a secret turned."""

import pytest

from application.tools.declared import DeclaredIntegrations
from domain.errors import Conflict, NotFound
from tests.unit.connectors.integration_world import (
    TOKEN,
    IntegrationWorld,
    asked,
    caller,
    declared,
    integration_world,
)
from tests.unit.vault.vault_world import secret

OWNER = caller()
AUTH = {"endpoint": "memory://guarded", "authentication": {"type": "token"}}


def version(world: IntegrationWorld, name: str = "box") -> int:
    return world.book.find(OWNER, name).integration.version


async def test_another_instance_follows_what_was_made_here() -> None:
    world = integration_world()
    other = world.another()
    await other.follow.start(DeclaredIntegrations())
    await world.manage.create(OWNER, asked())

    with pytest.raises(NotFound):
        other.book.find(OWNER, "box")
    await other.follow.refresh()

    assert (await other.book.ready(other.book.find(OWNER, "box"))).tools


async def test_a_credential_that_turned_opens_its_integration_anew_and_no_other() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())
    await world.manage.create(OWNER, asked("still"))
    before, still = version(world), version(world, "still")
    [row] = [row for row in (await world.vaults.store.tenant("acme")).rows if row.name == "box.token"]

    await world.vaults.vault.replace("acme", row.credential_id, secret("turned"), "key_2")
    await world.follow.refresh()

    assert version(world) != before
    assert version(world, "still") == still
    assert world.follow.used_by("acme", "box.token") == "integrations.box.authentication.token"
    assert world.follow.used_by("globex", "box.token") is None


async def test_another_secret_in_the_file_opens_what_it_declares_anew() -> None:
    world = integration_world()
    place, one = ("acme", "shelf"), declared(configuration=AUTH, version=77)
    await world.follow.start(DeclaredIntegrations((one,), {place: {"token": secret(TOKEN)}}))
    before = version(world, "shelf")
    first = await world.book.ready(world.book.find(OWNER, "shelf"))
    world.sides["guarded"].token = "turned"

    world.follow.declare(DeclaredIntegrations((one,), {place: {"token": secret("turned")}}))

    again = await world.book.ready(world.book.find(OWNER, "shelf"))
    assert again is not first
    assert version(world, "shelf") != before
    assert await again.check() == {"entries": 0}
    world.follow.declare(DeclaredIntegrations((one,), {place: {"token": secret("turned")}}))
    assert await world.book.ready(world.book.find(OWNER, "shelf")) is again
    await world.book.aclose()


async def test_instances_agree_on_versions_and_a_name_used_again_has_another() -> None:
    world = integration_world()
    other = world.another()
    await other.follow.start(DeclaredIntegrations())
    await world.manage.create(OWNER, asked())
    await other.follow.refresh()
    first = version(world)

    assert version(other) == first
    await world.manage.remove(OWNER, "box")
    world.clock.now_s += 1
    await world.manage.create(OWNER, asked("box", "open"))
    assert version(world) != first


async def test_a_name_that_both_have_keeps_a_server_from_starting() -> None:
    world = integration_world()
    await world.manage.create(OWNER, asked())

    with pytest.raises(Conflict, match=r"integrations\.box"):
        await world.another().follow.start(DeclaredIntegrations((declared("box"),)))

    await world.another().follow.start(DeclaredIntegrations((declared("box", tenant_id="globex"),)))


async def test_what_is_for_everybody_is_found_by_everybody_with_the_operators_credentials() -> None:
    world = integration_world()
    await world.manage.create(caller("default"), asked("source"))
    every = declared(configuration=AUTH, tenant_id="*", credentials={"token": "source.token"})

    await world.follow.start(DeclaredIntegrations((every,)))

    connector = await world.book.ready(world.book.find(caller("globex"), "shelf"))
    assert await connector.check() == {"entries": 0}
    assert world.follow.used_by("default", "source.token")
