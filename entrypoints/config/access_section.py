"""`auth`: how callers are recognised."""

from pydantic import Field

from entrypoints.config.sections import Section


class AuthSettings(Section):
    """Bounds of recognising callers."""

    max_stale_s: float = Field(
        default=300.0,
        ge=60,
        le=3600,
        description="While the key store is down, how long keys that are known go on letting in; one that is "
        "revoked meanwhile is among them. After that every request is answered with 503.",
    )
    failures_per_minute: int = Field(
        default=60,
        ge=1,
        le=100_000,
        description="Bad credentials from one address (one /64 of IPv6) that are answered with 401; the next "
        "ones get 429. Good credentials are always let in.",
    )
