"""Keys page by page, for installations with many."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from application.ports.keys import KeyPages, KeyQuery
from application.ports.system import Clock
from domain.errors import InvalidRequest
from domain.tenancy.key import KeyRecord, is_key_id
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1000
STATES: Final = ("live", "expired", "revoked")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class WantedKeys(NamedTuple):
    """Filters as they were asked for; None does not matter. `cursor` is the `next` of the page before."""

    tenant_id: str | None = None
    role: str | None = None
    state: str | None = None
    name: str | None = None
    cursor: str | None = None
    limit: int = PAGE_DEFAULT


class KeyPage(NamedTuple):
    """`next` asks for the following page; None: this is the last."""

    records: Sequence[KeyRecord]
    next: str | None


class PageKeys:
    def __init__(self, pages: KeyPages, clock: Clock) -> None:
        self._pages = pages
        self._clock = clock

    async def __call__(self, by: Principal, wanted: WantedKeys) -> KeyPage:
        """Keys of one tenant, or of every tenant `by` may see, the oldest first.

        Raises Forbidden, InvalidRequest (names the parameter), StoreUnavailable.
        """
        check_tenant(by, by.tenant_id if wanted.tenant_id is None else wanted.tenant_id, "keys.read")
        if not 1 <= wanted.limit <= PAGE_MAX:
            raise InvalidRequest(f"limit must be from 1 to {PAGE_MAX}", param="limit")
        if wanted.state is not None and wanted.state not in STATES:
            raise InvalidRequest(f"state must be one of {', '.join(STATES)}", param="state")
        everyone = wanted.tenant_id is None and by.may("tenants.manage")
        query = KeyQuery(
            self._clock.utc_now(),
            wanted.limit + 1,
            tenant_id=None if everyone else wanted.tenant_id or by.tenant_id,
            role=wanted.role,
            state=wanted.state,
            name=wanted.name,
            after=None if wanted.cursor is None else _place(wanted.cursor),
        )
        found = await self._pages.page(query)
        page = found[: wanted.limit]
        return KeyPage(page, _cursor(page[-1]) if len(found) > len(page) else None)


def _cursor(record: KeyRecord) -> str:
    return f"{(record.created_at - _EPOCH) // _MICROSECOND}.{record.key_id}"


def _place(cursor: str) -> tuple[datetime, str]:
    us, _, key_id = cursor.partition(".")
    if not (us.isascii() and us.isdigit() and len(us) <= 16 and is_key_id(key_id)):
        raise InvalidRequest("cursor must be the next_cursor of a page", param="cursor")
    return _EPOCH + timedelta(microseconds=int(us)), key_id
