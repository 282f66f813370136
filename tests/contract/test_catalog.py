"""Catalogue stores keep the promises of their port."""

import pytest

from adapters.memory.catalog import InMemoryCatalogStore
from application.ports.catalog import CatalogStore
from contracts.ports.catalog import CatalogStoreContract


class TestInMemoryCatalogStore(CatalogStoreContract):
    @pytest.fixture
    def store(self) -> CatalogStore:
        return InMemoryCatalogStore()

    @pytest.fixture
    def unreachable_store(self) -> CatalogStore:
        return InMemoryCatalogStore(reachable=False)
