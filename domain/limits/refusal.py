"""What a caller is told whom a rate limit lets wait."""

import math
from collections.abc import Sequence

from domain.errors import InvalidRequest, RateLimited
from domain.limits.limit import LimitAccount
from domain.limits.standing import LimitStanding


def limited(
    full: LimitStanding, wait_s: float, standings: Sequence[LimitStanding], at_us: int
) -> RateLimited:
    """The refusal by a limit without room, for at least `wait_s` from `at_us` on."""
    of = f" of {full.subject}" if full.subject else ""
    in_s = max(1, math.ceil(wait_s))
    return RateLimited(
        f"rate limit {full.name!r} ({full.scope}) lets {full.amount} {full.meter.value}{of} through per "
        f"{full.per}; try again in {in_s} s",
        retry_after_s=max(wait_s, 0.001),
        details={
            "limit": full.name,
            "limit_id": full.limit_id,
            "scope": full.scope,
            "subject": full.subject,
            "counts": full.meter.value,
            "amount": full.amount,
            "per": full.per,
            "calendar": full.calendar,
            "remaining": full.remaining,
            "retry_after_s": in_s,
            "reset_s": math.ceil(full.reset_s),
        },
        standings=standings,
        at_us=at_us,
    )


def too_large(account: LimitAccount, tokens: int, room_max: int) -> InvalidRequest:
    """The refusal of a request that a limit could never let through: repeating it cannot help."""
    return InvalidRequest(
        f"the request has about {tokens} tokens, and rate limit {account.name!r} ({account.scope}) never "
        f"lets more than {room_max} through at once",
        param="body",
    )
