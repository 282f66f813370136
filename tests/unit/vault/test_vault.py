"""The vault against whoever may write to its database."""

from dataclasses import replace

import pytest

from adapters.memory.vault import InMemoryCredentialStore
from domain.errors import Conflict, CredentialDamaged, InvalidRequest, NotFound, VaultLocked
from domain.vault.credential import CREDENTIALS_PER_TENANT_MAX, SECRET_BYTES_MAX, Change
from domain.vault.manifest import Manifest, SignedManifest
from tests.unit.vault.vault_world import VaultWorld, named, secret, vault_world


def memory(world: VaultWorld) -> InMemoryCredentialStore:
    assert isinstance(world.store, InMemoryCredentialStore)
    return world.store


async def opened(world: VaultWorld, name: str, tenant_id: str = "acme") -> str:
    return (await world.vault.open(tenant_id, {name}))[name].reveal().decode()


async def codes(world: VaultWorld, *, deep: bool = False) -> list[str]:
    return [finding.code for finding in await world.vault.check(deep=deep)]


async def test_what_was_put_in_is_opened_replaced_and_taken_out() -> None:
    world = vault_world()
    row = await world.vault.put(named("openai"), secret("sk-1"), "Key1")
    assert await opened(world, "openai") == "sk-1"

    second = await world.vault.replace("acme", row.credential_id, secret("sk-2"), "Key2")
    assert (second.version, second.updated_by, second.created_at) == (2, "Key2", row.created_at)
    assert await opened(world.neighbour(), "openai") == "sk-2"

    await world.vault.delete("acme", row.credential_id)
    assert await world.vault.open("acme", {"openai"}) == {}
    assert await codes(world, deep=True) == []


async def test_a_vault_that_was_never_used_opens_nothing_and_makes_nothing() -> None:
    world = vault_world()

    assert await world.vault.open("acme", {"openai"}) == {}
    assert await codes(world) == []
    assert memory(world).rows == {} and world.pins.pins is None


async def test_tenants_have_names_of_their_own() -> None:
    world = vault_world()
    mine = await world.vault.put(named("openai"), secret("mine"), "x")
    await world.vault.put(named("openai", "other"), secret("theirs"), "x")

    assert await opened(world, "openai") == "mine"
    assert await opened(world, "openai", "other") == "theirs"
    with pytest.raises(NotFound):
        await world.vault.replace("other", mine.credential_id, secret("x"), "x")
    with pytest.raises(Conflict):
        await world.vault.put(named("openai"), secret("again"), "x")


@pytest.mark.parametrize("name", ["", "A", "ä", "a b", "../x", "a" * 64, "-a"])
async def test_names_are_plain(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await vault_world().vault.put(named(name), secret("x"), "x")
    assert refused.value.param == "name"


async def test_values_have_a_size() -> None:
    world = vault_world()
    for value in ("", "x" * (SECRET_BYTES_MAX + 1)):
        with pytest.raises(InvalidRequest) as refused:
            await world.vault.put(named("big"), secret(value), "x")
        assert refused.value.param == "value" and "xxx" not in refused.value.message
    await world.vault.put(named("big"), secret("x" * SECRET_BYTES_MAX), "x")


async def test_a_tenant_keeps_so_many_and_so_much() -> None:
    manifest = Manifest(tenant_id="acme", listed={f"c{n}": None for n in range(1000)})  # type: ignore[misc]
    world = vault_world()
    row = await world.vault.put(named("openai"), secret("x"), "x")
    assert len(manifest.listed) == CREDENTIALS_PER_TENANT_MAX
    with pytest.raises(Conflict, match="1000"):
        manifest.revised([Change("another", None, row)])
    for n in range(260):
        memory(world).rows[f"z{n}"] = replace(row, credential_id=f"z{n}", name=f"n{n}", sealed=b"x" * 66_000)
    with pytest.raises(Conflict, match="bytes"):
        await world.vault.put(named("more"), secret("x" * SECRET_BYTES_MAX), "x")


async def test_a_row_in_the_place_of_another_does_not_open_and_is_named() -> None:
    world = vault_world()
    a = await world.vault.put(named("a"), secret("sk-a"), "x")
    b = await world.vault.put(named("b"), secret("sk-b"), "x")
    memory(world).rows[a.credential_id] = replace(a, sealed=b.sealed, key_id=b.key_id)

    with pytest.raises(CredentialDamaged):
        await world.vault.open("acme", {"a"})
    assert await opened(world, "b") == "sk-b", "the others go on"
    findings = await world.vault.check(deep=True)
    assert [(each.code, each.credential_id) for each in findings] == [("changed", a.credential_id)]


async def test_the_version_before_put_back_is_noticed() -> None:
    """Its envelope is whole: only the list tells that it is old."""
    world = vault_world()
    first = await world.vault.put(named("a"), secret("leaked"), "x")
    await world.vault.replace("acme", first.credential_id, secret("new"), "x")
    memory(world).rows[first.credential_id] = first

    with pytest.raises(CredentialDamaged):
        await world.vault.open("acme", {"a"})
    assert await codes(world) == ["rolled_back"]
    with pytest.raises(CredentialDamaged):
        await world.vault.replace("acme", first.credential_id, secret("again"), "x")


async def test_a_deleted_row_is_noticed_and_nothing_hides_it() -> None:
    world = vault_world()
    row = await world.vault.put(named("a"), secret("x"), "x")
    await world.vault.put(named("b"), secret("x"), "x")
    del memory(world).rows[row.credential_id]

    assert await codes(world) == ["missing"]
    assert await codes(world.neighbour()) == ["missing"]
    with pytest.raises(CredentialDamaged, match="not there"):
        await world.vault.open("acme", {"a"})
    await world.vault.put(named("c"), secret("x"), "x")
    assert await codes(world) == ["missing"], "a later change does not sign it away"


async def test_a_row_somebody_added_is_noticed() -> None:
    world = vault_world()
    row = await world.vault.put(named("a"), secret("x"), "x")
    memory(world).rows["cred_9"] = replace(row, credential_id="cred_9", name="b")

    assert await codes(world) == ["foreign"]
    with pytest.raises(CredentialDamaged):
        await world.vault.open("acme", {"b"})


async def test_a_manifest_somebody_wrote_is_not_believed() -> None:
    world = vault_world()
    row = await world.vault.put(named("a"), secret("x"), "x")
    signed = memory(world).manifests["acme"]
    del memory(world).rows[row.credential_id]
    forged = Manifest(tenant_id="acme", counter=2)
    other = memory(world).manifests[""]
    for bad in (SignedManifest(forged.body(), signed.signature), SignedManifest(b"", b""), other):
        memory(world).manifests["acme"] = bad
        assert "manifest" in await codes(world)
        with pytest.raises(CredentialDamaged):
            await world.vault.put(named("c"), secret("x"), "x")
        with pytest.raises(CredentialDamaged):
            await world.vault.open("acme", {"a"})


async def test_rows_and_manifest_put_back_together_are_found_by_what_the_instance_remembers() -> None:
    world = vault_world()
    row = await world.vault.put(named("a"), secret("leaked"), "x")
    rows, manifests = dict(memory(world).rows), dict(memory(world).manifests)
    await world.vault.replace("acme", row.credential_id, secret("new"), "x")
    world.clock.now_s += 2
    await world.vault.book.keep()
    memory(world).rows, memory(world).manifests = rows, manifests

    assert await codes(world) == ["rolled_back"]
    assert await codes(world.neighbour(same_machine=True)) == ["rolled_back"], "also after a restart"
    assert await codes(world.neighbour()) == [], "who never saw it cannot know"
    with pytest.raises(CredentialDamaged):
        await world.vault.open("acme", {"a"})
    with pytest.raises(CredentialDamaged):
        await world.vault.put(named("b"), secret("x"), "x")


async def test_an_emptied_database_is_noticed() -> None:
    world = vault_world()
    await world.vault.put(named("a"), secret("x"), "x")
    world.clock.now_s += 2
    await world.vault.book.keep()
    memory(world).rows, memory(world).manifests = {}, {}

    assert set(await codes(world.neighbour(same_machine=True))) == {"manifest"}
    assert set(await codes(world)) == {"rolled_back"}
    with pytest.raises(CredentialDamaged):
        await world.neighbour(same_machine=True).vault.put(named("b"), secret("x"), "x")


async def test_an_operator_accepts_a_restored_backup() -> None:
    world = vault_world()
    row = await world.vault.put(named("a"), secret("one"), "x")
    rows, manifests = dict(memory(world).rows), dict(memory(world).manifests)
    await world.vault.replace("acme", row.credential_id, secret("two"), "x")
    await world.vault.put(named("b"), secret("b"), "x")
    memory(world).rows, memory(world).manifests = rows, manifests
    assert await codes(world) == ["rolled_back"]

    assert await world.vault.accept() == 1

    assert await codes(world, deep=True) == []
    assert await codes(world.neighbour(same_machine=True), deep=True) == []
    assert await opened(world, "a") == "one"
    await world.vault.put(named("c"), secret("c"), "x")


async def test_without_its_keys_the_vault_is_locked_and_says_nothing() -> None:
    world = vault_world()
    await world.vault.put(named("a"), secret("sk-live-4242"), "x")
    world.keys.reachable = False

    with pytest.raises(VaultLocked) as locked:
        await world.neighbour().vault.open("acme", {"a"})
    with pytest.raises(VaultLocked):
        await world.vault.put(named("b"), secret("sk-live-4242"), "x")
    assert "4242" not in str(locked.value)


async def test_two_instances_that_begin_together_have_one_signer() -> None:
    here = vault_world()
    there = here.neighbour()
    await here.vault.put(named("a"), secret("a"), "x")
    await there.vault.put(named("b"), secret("b"), "x")

    assert await codes(here) == await codes(there) == []
    assert sum(row.tenant_id == "" for row in memory(here).rows.values()) == 1


async def test_a_signer_that_is_gone_is_told_and_accepted_with_a_new_one() -> None:
    world = vault_world()
    await world.vault.put(named("a"), secret("a"), "x")
    await world.vault.book.keep(at_once=True)
    for row in [row for row in memory(world).rows.values() if row.tenant_id == ""]:
        del memory(world).rows[row.credential_id]

    successor = world.neighbour(same_machine=True)
    assert await codes(successor) == ["manifest"]
    with pytest.raises(CredentialDamaged):
        await successor.vault.put(named("b"), secret("b"), "x")

    assert await successor.vault.accept() == 2

    assert await codes(successor, deep=True) == []
    assert await opened(successor, "a") == "a"
    await successor.vault.put(named("b"), secret("b"), "x")
