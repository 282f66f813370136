"""Which stores stand behind rate limits."""

from adapters.redis.connection import RedisConnection
from adapters.redis.rate_limits import RedisRateLimits
from adapters.sql.database import Database
from adapters.sql.limits import SqlLimitStore
from adapters.sql.rate_limits import SqlRateLimits
from application.ports.limits import LimitStore
from application.ports.system import Clock, IdFactory
from application.tenant_book import TenantBook
from entrypoints.limiting import Limiting, make_limiting


def open_limiting(
    database: Database, redis: RedisConnection | None, tenants: TenantBook, clock: Clock, ids: IdFactory
) -> Limiting:
    """The database for quotas and slow limits; Redis, where there is one, for those that forget soon."""
    return make_limiting(
        SqlRateLimits(database, clock),
        None if redis is None else RedisRateLimits(redis),
        limit_store(database),
        tenants,
        clock,
        ids,
    )


def limit_store(database: Database) -> LimitStore:
    """The limits made through the API."""
    return SqlLimitStore(database)
