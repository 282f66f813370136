"""What keys are kept in, opened for this process. Part of the composition root."""

from typing import TYPE_CHECKING

from adapters.crypto.key_hash import PepperedKeyHasher, Peppers
from adapters.crypto.pepper_file import PepperFile
from adapters.sql.database import Database
from adapters.sql.key_pages import SqlKeyPages
from adapters.sql.keys import SqlKeyStore
from application.key_ring import KeyRing
from application.ports.keys import KeyNews, OwnerKeyFile
from application.ports.system import Clock, IdFactory
from application.role_book import RoleBook
from application.tenant_registry import KeyRegistry
from entrypoints.access import Access, KeyBackends, make_access
from entrypoints.settings import Settings

if TYPE_CHECKING:  # commands open keys too, and have no use for a client of Redis
    from adapters.redis.connection import RedisConnection


def open_access(
    settings: Settings,
    database: Database,
    store: SqlKeyStore,
    hasher: PepperedKeyHasher,
    peppers: Peppers,
    owner_file: OwnerKeyFile,
    ring: KeyRing,
    clock: Clock,
    news: KeyNews | None,
    roles: RoleBook,
    registry: KeyRegistry,
) -> Access:
    """Everything around callers' keys, on the database and the data directory."""
    backends = KeyBackends(
        store=store,
        pages=SqlKeyPages(database),
        uses=store,
        hasher=hasher,
        peppers=PepperFile(settings.data_dir, hasher, peppers),
        owner_file=owner_file,
    )
    return make_access(backends, ring, clock, settings, news, roles, registry)


def key_news(redis: "RedisConnection | None", ids: IdFactory) -> KeyNews | None:
    """How instances hear of changed keys sooner; None: there is nothing they share but the database."""
    if redis is None:
        return None
    from adapters.redis.key_news import RedisKeyNews

    return RedisKeyNews(redis, lambda: ids.next("news"))
