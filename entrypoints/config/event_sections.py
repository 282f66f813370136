"""`events`: what is told of what happens, and where it is passed on to."""

from typing import Annotated

from pydantic import AfterValidator, Field

from domain.errors import InvalidRequest
from domain.events import PATTERNS_MAX, PROVIDER_FAILOVER, check_patterns
from entrypoints.config.sections import Section


def _patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_patterns(patterns, "patterns") if patterns else ()
    except InvalidRequest as error:
        raise ValueError(error.message) from None


Patterns = Annotated[tuple[str, ...], Field(max_length=PATTERNS_MAX), AfterValidator(_patterns)]


class RedisStreamSettings(Section):
    """A Redis Stream that gets every event, at least once, in the order of their places. It is written to by
    one instance at a time, in the Redis of `storage`."""

    stream: str = Field(default="ic:events", pattern=r"^[!-~]{1,200}$", description="Key of the stream.")
    length_max: int = Field(
        default=100_000,
        ge=100,
        le=100_000_000,
        description="About how many entries a stream keeps; older ones are dropped by Redis.",
    )
    per_tenant: bool = Field(
        default=False,
        description="A stream for each tenant, `<stream>:<tenant>`, instead of one for all.",
    )
    types: Patterns = Field(
        default=("*",),
        min_length=1,
        description="Which events: names, groups such as `key.*`, or `*`.",
    )


class EventSettings(Section):
    """Events. Those of single requests are written only where somebody subscribed to them, by webhook, stream
    or Redis; all others always."""

    always: Patterns = Field(
        default=(PROVIDER_FAILOVER,),
        description="Events of single requests that are written even if nobody subscribed, so that they can "
        "be looked up later: `integration.request_completed`, `provider.failover`.",
    )
    stream_s_max: float = Field(
        default=3600.0,
        ge=0.1,
        le=86_400,
        description="How long one stream of events lasts; its listener comes back to where it was.",
    )
    redis_stream: RedisStreamSettings | None = Field(
        default=None, description="Null or left out: events are not passed on to Redis."
    )
