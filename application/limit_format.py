"""Stored rate limits as text and back: one JSON object, the same for the same limit."""

import json
from typing import Any

from application.ports.limits import StoredLimit
from domain.errors import InvalidRequest
from domain.limits.limit import LimitTerms, RateLimit, make_limit, terms_of


def limit_body(limit: RateLimit) -> str:
    """Everything but id, owner and name, which stand beside it."""
    terms = terms_of(limit)
    body = {
        "scope": dict(terms.scope),
        "per": terms.per,
        "requests": terms.requests,
        "tokens": terms.tokens,
        "burst": terms.burst,
        "burst_tokens": terms.burst_tokens,
        "calendar": terms.calendar,
        "time_zone": terms.time_zone,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read_limit(stored: StoredLimit) -> RateLimit:
    """Raises InvalidRequest for a text that is no limit, such as one of a newer version."""
    try:
        body: dict[str, Any] = json.loads(stored.body)
        terms = LimitTerms(name=stored.name, **body)
        return make_limit(terms, limit_id=stored.limit_id, owner=stored.tenant_id)
    except (InvalidRequest, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(
            f"rate limit {stored.limit_id} cannot be read: {error!r}", param="body"
        ) from None
