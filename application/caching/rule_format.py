"""Invalidations as records of the log and back."""

import json
from typing import Final

from domain.caching.invalidation import InvalidationKind, InvalidationRule
from domain.errors import InvalidRequest

INVALIDATE: Final = "invalidate"
"""The kind of such records."""


def rule_data(rule: InvalidationRule) -> bytes:
    """Without its position, which the log gives it."""
    return json.dumps([rule.kind.value, rule.tenant_id, rule.value], ensure_ascii=True).encode()


def read_rule(data: bytes, position: int) -> InvalidationRule:
    """Raises InvalidRequest for data that is no rule, such as one of a newer version."""
    try:
        kind, tenant_id, value = json.loads(data)
        if not (isinstance(tenant_id, str) and isinstance(value, str)):
            raise ValueError("not texts")
        return InvalidationRule(InvalidationKind(kind), tenant_id, value, position)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequest("not an invalidation") from error
