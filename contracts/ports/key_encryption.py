"""What every source of master keys promises."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.vault import KeyEncryption
from contracts.ports._base import PortContract
from domain.errors import Conflict, CredentialDamaged, InvalidRequest, NotFound, VaultLocked
from domain.vault.credential import CredentialAddress
from domain.vault.secret import SecretBytes

LATER = datetime(2030, 1, 1, tzinfo=UTC)
DATA_KEY = bytes(range(32))
ADDRESS = CredentialAddress("acme", "provider", "cred_1", "openai", "api_key", 3)


class KeyEncryptionContract(PortContract):
    """Bind `keys` with at least one key."""

    @pytest.fixture
    def keys(self) -> KeyEncryption:
        raise NotImplementedError

    async def test_what_was_wrapped_unwraps(self, keys: KeyEncryption) -> None:
        key_id = (await keys.keys()).primary.key_id
        context = ADDRESS.context(key_id, "key")

        wrapped = await keys.wrap(key_id, SecretBytes(DATA_KEY), context)

        assert (await keys.unwrap(key_id, wrapped, context)).reveal() == DATA_KEY
        assert DATA_KEY not in wrapped and len(wrapped) < 4096

    async def test_the_same_key_is_wrapped_differently_each_time(self, keys: KeyEncryption) -> None:
        key_id = (await keys.keys()).primary.key_id
        context = ADDRESS.context(key_id, "key")

        first = await keys.wrap(key_id, SecretBytes(DATA_KEY), context)

        assert first != await keys.wrap(key_id, SecretBytes(DATA_KEY), context)

    @pytest.mark.parametrize(
        "elsewhere",
        [
            ADDRESS._replace(tenant_id="other"),
            ADDRESS._replace(integration="webhook"),
            ADDRESS._replace(credential_id="cred_2"),
            ADDRESS._replace(name="anthropic"),
            ADDRESS._replace(field="password"),
            ADDRESS._replace(version=2),
        ],
    )
    async def test_in_another_place_it_does_not_unwrap(
        self, keys: KeyEncryption, elsewhere: CredentialAddress
    ) -> None:
        key_id = (await keys.keys()).primary.key_id
        wrapped = await keys.wrap(key_id, SecretBytes(DATA_KEY), ADDRESS.context(key_id, "key"))

        with pytest.raises(CredentialDamaged):
            await keys.unwrap(key_id, wrapped, elsewhere.context(key_id, "key"))

    async def test_what_was_changed_does_not_unwrap(self, keys: KeyEncryption) -> None:
        key_id = (await keys.keys()).primary.key_id
        context = ADDRESS.context(key_id, "key")
        wrapped = await keys.wrap(key_id, SecretBytes(DATA_KEY), context)
        last = wrapped[-1:] if wrapped[-1:] != b"A" else b"B"
        changed = wrapped[:-2] + (b"A" if last != b"A" else b"B") + wrapped[-1:]

        for damaged in (changed, wrapped[: len(wrapped) // 2], b"", b"\xff" * len(wrapped)):
            if damaged != wrapped:
                with pytest.raises(CredentialDamaged):
                    await keys.unwrap(key_id, damaged, context)

    async def test_a_key_that_is_not_there_locks(self, keys: KeyEncryption) -> None:
        with pytest.raises(VaultLocked):
            await keys.wrap("no-such-key", SecretBytes(DATA_KEY), ADDRESS.context("no-such-key", "key"))
        with pytest.raises(VaultLocked):
            await keys.unwrap("no-such-key", b"x" * 60, ADDRESS.context("no-such-key", "key"))

    async def test_a_new_key_seals_and_old_ones_still_open(self, keys: KeyEncryption) -> None:
        before = await keys.keys()
        old = before.primary.key_id
        wrapped = await keys.wrap(old, SecretBytes(DATA_KEY), ADDRESS.context(old, "key"))
        if not before.makes_keys:
            with pytest.raises(InvalidRequest):
                await keys.add_key(LATER)
            return

        new = await keys.add_key(LATER)

        after = await keys.keys()
        assert after.primary.key_id == new != old
        assert old in {key.key_id for key in after.keys}
        assert (await keys.unwrap(old, wrapped, ADDRESS.context(old, "key"))).reveal() == DATA_KEY

    async def test_an_old_key_may_be_dropped_the_primary_one_never(self, keys: KeyEncryption) -> None:
        listed = await keys.keys()
        old = listed.primary.key_id
        if not listed.makes_keys:
            with pytest.raises(InvalidRequest):
                await keys.drop_key(old)
            return
        wrapped = await keys.wrap(old, SecretBytes(DATA_KEY), ADDRESS.context(old, "key"))
        with pytest.raises(Conflict):
            await keys.drop_key(old)
        await keys.add_key(LATER + timedelta(days=1))

        await keys.drop_key(old)

        assert old not in {key.key_id for key in (await keys.keys()).keys}
        with pytest.raises((VaultLocked, CredentialDamaged)):
            await keys.unwrap(old, wrapped, ADDRESS.context(old, "key"))
        with pytest.raises((NotFound, InvalidRequest)):
            await keys.drop_key("no-such-key")

    async def test_many_at_once_and_one_who_leaves(self, keys: KeyEncryption) -> None:
        key_id = (await keys.keys()).primary.key_id
        context = ADDRESS.context(key_id, "key")
        left = asyncio.create_task(keys.wrap(key_id, SecretBytes(DATA_KEY), context))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])

        wrapped = await asyncio.gather(
            *(keys.wrap(key_id, SecretBytes(bytes([n]) * 32), context) for n in range(8))
        )

        opened = await asyncio.gather(*(keys.unwrap(key_id, each, context) for each in wrapped))
        assert [each.reveal()[0] for each in opened] == list(range(8))


class UnreachableKeysContract(PortContract):
    """Bind `unreachable_keys`: the same adapter with its source gone. The environment is always there."""

    @pytest.fixture
    def unreachable_keys(self) -> KeyEncryption:
        raise NotImplementedError

    async def test_without_its_source_everything_is_locked(self, unreachable_keys: KeyEncryption) -> None:
        context = ADDRESS.context("k1", "key")
        # All at once: each may be tried again after pauses before it is given up.
        ended = await asyncio.gather(
            unreachable_keys.keys(),
            unreachable_keys.wrap("k1", SecretBytes(DATA_KEY), context),
            unreachable_keys.unwrap("k1", b"x" * 60, context),
            return_exceptions=True,
        )
        assert all(isinstance(error, VaultLocked) for error in ended), ended
