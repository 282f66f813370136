"""Rate limits as JSON, the same from the API and from the command line; and the words they are read from."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from application.use_cases.manage_limits import LimitRecord
from domain.limits.limit import LimitTerms
from domain.limits.limit import terms_of as words_of
from domain.limits.standing import LimitStanding


class LimitBody(msgspec.Struct, forbid_unknown_fields=True):
    """A rate limit as it is asked for: the file's keys."""

    name: str
    scope: dict[str, str]
    per: str
    requests: int | None = None
    tokens: int | None = None
    burst: int | None = None
    burst_tokens: int | None = None
    calendar: bool = False
    time_zone: str = "UTC"


def terms_of(body: LimitBody) -> LimitTerms:
    """The same in the domain's words."""
    return LimitTerms(**msgspec.structs.asdict(body))


def limit_object(record: LimitRecord) -> dict[str, Any]:
    """A rate limit and whose it is."""
    limit = record.limit
    words = words_of(limit)
    return {
        "limit_id": limit.limit_id,
        "name": limit.name,
        "tenant_id": limit.owner,
        "owner": "file" if limit.declared else "api",
        "declared_in": record.declared_in,
        "scope": dict(words.scope),
        "per": words.per,
        "requests": words.requests,
        "tokens": words.tokens,
        "burst": words.burst,
        "burst_tokens": words.burst_tokens,
        "calendar": words.calendar,
        "time_zone": words.time_zone,
        "created_at": None if record.created_at is None else record.created_at.isoformat(),
        "updated_at": None if record.updated_at is None else record.updated_at.isoformat(),
    }


def body_of(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a limit's object says that can be asked for again."""
    return {name: shown[name] for name in LimitBody.__struct_fields__}


def standing_object(standing: LimitStanding) -> dict[str, Any]:
    """How a caller stands with one meter of one limit."""
    return {
        "limit_id": standing.limit_id,
        "name": standing.name,
        "scope": standing.scope,
        "subject": standing.subject,
        "counts": standing.meter.value,
        "amount": standing.amount,
        "per": standing.per,
        "calendar": standing.calendar,
        "remaining": standing.remaining,
        "reset_s": math.ceil(standing.reset_s),
    }
