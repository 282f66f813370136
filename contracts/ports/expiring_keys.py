"""What everybody promises who finds keys that end soon."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest

from application.ports.expiring_keys import ExpiringKeys
from application.ports.keys import KeyStore
from contracts.ports._base import PortContract
from contracts.ports.keys import NOW, record
from domain.errors import StoreUnavailable


class KeysWorld(NamedTuple):
    """A store of keys, and who finds those that end soon in it."""

    store: KeyStore
    expiring: ExpiringKeys


class ExpiringKeysContract(PortContract):
    """Bind `keys`, and `unreachable`: the same adapter with its backend gone."""

    @pytest.fixture
    def keys(self) -> KeysWorld:
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> ExpiringKeys:
        raise NotImplementedError

    async def test_those_between_two_moments_the_first_to_end_first(self, keys: KeysWorld) -> None:
        for number, hours in enumerate((3, 1, 2, 9)):
            ends = NOW + timedelta(hours=hours)
            await keys.store.add(replace(record(f"Key00000000{number}"), expires_at=ends))
        await keys.store.add(record("Key000000009"))

        found = await keys.expiring.ending(NOW, NOW + timedelta(hours=9), limit=9)

        assert [each.key_id for each in found] == ["Key000000001", "Key000000002", "Key000000000"]
        assert found == (await keys.expiring.ending(NOW, NOW + timedelta(hours=5), limit=3))
        assert len(await keys.expiring.ending(NOW, NOW + timedelta(hours=5), limit=1)) == 1

    async def test_revoked_keys_and_those_that_ended_are_not_among_them(self, keys: KeysWorld) -> None:
        soon = NOW + timedelta(hours=1)
        await keys.store.add(replace(record("Key000000001"), expires_at=soon))
        await keys.store.add(replace(record("Key000000002"), expires_at=NOW))
        await keys.store.revoke("acme", "Key000000001", NOW)

        assert await keys.expiring.ending(NOW, soon + timedelta(hours=1), limit=9) == []

    async def test_an_unreachable_store_says_so(self, unreachable: ExpiringKeys) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable.ending(NOW, NOW + timedelta(hours=1), limit=1)
