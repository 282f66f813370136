"""`rate_limits`: how many requests and tokens are let through, of whom, in which time."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field

from domain.budgets.terms import owner_of
from domain.errors import InvalidRequest
from domain.limits.limit import (
    AMOUNT_MAX,
    BURST_PERIODS_MAX,
    NAME_LENGTH_MAX,
    LimitTerms,
    RateLimit,
    make_limit,
)
from entrypoints.config.budget_sections import FILE_ID, ScopeValue
from entrypoints.config.problems import ConfigPath, Finding
from entrypoints.config.sections import Section, Word

RATE_LIMITS_MAX: Final = 10_000
LimitScope = Literal[
    "tenant",
    "team",
    "project",
    "key",
    "user",
    "agent",
    "session",
    "workflow",
    "model",
    "route",
    "organisation",
]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]


class RateLimitSettings(Section):
    """So many requests, tokens or both per period; what is beyond is refused with 429 and `Retry-After`.

    Every limit that concerns a request holds, however they overlap. In every window of length w, at most
    `burst + amount * w / per` are let through by all instances together; with `calendar`, at most the amount
    in each period of the calendar.
    """

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX, description="Unique in this file.")
    scope: dict[LimitScope, ScopeValue] = Field(
        min_length=1,
        description="Whose requests count: each dimension with one value, or `*` for a limit of its own for "
        "every value. All of them must hold. Without `tenant`, all tenants count together. A key is named by "
        "its id, a model as `model` or `provider/model`; `model` counts requests of which it is known before "
        "a target is chosen that they go to that model.",
    )
    requests: Amount | None = Field(default=None, description="Requests per period.")
    tokens: Amount | None = Field(
        default=None,
        description="Input and output tokens per period: estimated before, corrected after the answer.",
    )
    per: Annotated[Literal["second", "minute", "hour", "day", "week", "month"], Word] = Field(
        description="The period; `week` and `month` only with `calendar`."
    )
    burst: Amount | None = Field(
        default=None,
        description=f"Requests that may come at once, up to {BURST_PERIODS_MAX} periods' worth. Default: one "
        "period's.",
    )
    burst_tokens: Amount | None = Field(default=None, description="The same of tokens.")
    calendar: bool = Field(
        default=False,
        description="A quota: the period is one of the calendar, and all of it may come at once.",
    )
    time_zone: str = Field(
        default="UTC",
        max_length=64,
        description="IANA name; says when a calendar period begins. Only with `calendar`.",
    )

    def limit(self) -> RateLimit:
        """As it is held to. Raises InvalidRequest, naming the key, for what could not work."""
        terms = LimitTerms(
            name=self.name,
            scope={str(name): value for name, value in self.scope.items()},
            per=self.per,
            requests=self.requests,
            tokens=self.tokens,
            burst=self.burst,
            burst_tokens=self.burst_tokens,
            calendar=self.calendar,
            time_zone=self.time_zone,
        )
        made = make_limit(terms, limit_id=f"{FILE_ID}{self.name}", owner="", declared=True)
        return replace(made, owner=owner_of(made.scope))


def rate_limit_findings(sections: tuple[RateLimitSettings, ...]) -> Iterator[Finding]:
    """What is wrong about limits that are well written, each told at the key that says it."""
    places: dict[str, int] = {}
    for index, section in enumerate(sections):
        first = places.setdefault(section.name, index)
        if first != index:
            yield Finding(
                ("rate_limits", index, "name"),
                f"names of rate limits must differ; given more than once: {section.name} "
                f"(first by rate_limits[{first}])",
                fatal=True,
            )
            continue
        try:
            section.limit()
        except InvalidRequest as error:
            path: ConfigPath = ("rate_limits", index, *(error.param or "").split("."))
            yield Finding(path, error.message, fatal=True)
