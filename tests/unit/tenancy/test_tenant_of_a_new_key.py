"""A key's tenant is known, also when somebody removes it while the key is made."""

from datetime import UTC, datetime

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.tenants import InMemoryProjectStore, InMemoryTenantStore
from application.tenant_book import TenantBook
from application.tenant_registry import TenantRegistry
from application.use_cases.manage_keys import CreateKey
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import local_operator
from domain.tenancy.tenant import Tenant
from tests.unit.audit.trail_world import ToldClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class RemovedMeanwhile(InMemoryKeyStore):
    """Somebody removes the tenant just before its key is there."""

    def __init__(self, tenants: InMemoryTenantStore) -> None:
        super().__init__()
        self._tenants = tenants

    async def add(self, record: KeyRecord) -> None:
        await self._tenants.remove(record.tenant_id, NOW)
        await super().add(record)


async def test_a_tenant_removed_while_its_key_is_made_is_known_afterwards() -> None:
    tenants, book = InMemoryTenantStore(), TenantBook()
    book.use([Tenant(tenant_id="acme")])  # as another instance remembers it
    registry = TenantRegistry(tenants, InMemoryProjectStore(), book, ToldClock())
    store = RemovedMeanwhile(tenants)
    create = CreateKey(store, PepperedKeyHasher({1: b"p" * 32}), ToldClock(), registry=registry)

    await create(local_operator(), NewKey(tenant_id="acme", name="n", role="agent"))

    assert [stored.tenant.tenant_id for stored in await tenants.all()] == ["acme"]
