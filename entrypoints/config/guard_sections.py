"""`guards` and `routes.*.guards`: what stops an agent that runs away."""

from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema, core_schema

from domain.guards.policy import STOP_FOR_S, GuardPolicy
from domain.guards.repeated_calls import WINDOW_MAX, RepeatedCallRule
from domain.guards.spend_rate import SpendRateRule, SpendScope
from domain.guards.steps import STEPS_MAX
from domain.guards.stop import STOP_FOR_S_MAX
from domain.money import parse_usd
from entrypoints.config.sections import Seconds, Section, Word

_Usd = Annotated[
    Decimal, Field(gt=0, le=1_000_000_000), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]
_ToolName = Annotated[str, Field(min_length=1, max_length=256)]


class _OrOff:
    """A value, or the word `off` for none: a key without a value counts as left out, also in a route."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: None if _word(value) == "off" else value,
            handler(source),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, dump: "off" if value is None else dump(value), schema=handler(source)
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": "off"}, dict(handler(schema))]}


def _word(value: object) -> object:
    return "off" if value is False else value.strip().lower() if isinstance(value, str) else value


_OFF: Final = _OrOff()


class RepeatedToolCallSettings(Section):
    """The same tool with the same arguments, too often among an agent's last calls."""

    times: int = Field(default=5, ge=2, le=WINDOW_MAX, description="So many times is a loop.")
    window: int = Field(
        default=20, ge=2, le=WINDOW_MAX, description="Among so many of the conversation's last tool calls."
    )
    same_result: bool = Field(
        default=False,
        description="Count only calls that gave the same result too: polling for a change is no loop.",
    )
    exempt: tuple[_ToolName, ...] = Field(
        default=(), max_length=1000, description="Tools that are never counted."
    )

    @model_validator(mode="after")
    def _window_holds_the_loop(self) -> Self:
        if self.times > self.window:
            raise ValueError(f"times ({self.times}) must not be above window ({self.window})")
        return self

    def rule(self) -> RepeatedCallRule:
        """As the domain wants it."""
        return RepeatedCallRule(
            times=self.times,
            window=self.window,
            same_result=self.same_result,
            exempt=frozenset(self.exempt),
        )


class SpendRateSettings(Section):
    """More money in a short time than an agent at work spends."""

    usd: _Usd = Field(description="More than this within `per_s` seconds is too fast.")
    per_s: Seconds = Field(default=60.0, description="Length of the sliding window, in seconds.")
    scope: Annotated[SpendScope, Word] = Field(
        default=SpendScope.AGENT, description="Whose spending counts together, and who is stopped."
    )

    def rule(self, route: str) -> SpendRateRule:
        """As the domain wants it."""
        return SpendRateRule(
            limit_nano_usd=parse_usd(self.usd), per_s=self.per_s, scope=self.scope, route=route
        )


class GuardSettings(Section):
    """What stops an agent that runs away; nothing unless it is set. docs/stopping-agents.md says how.

    A route's own keys go before the general ones; `off` there turns one off.
    """

    repeated_tool_call: Annotated[RepeatedToolCallSettings | None, _OFF] = None
    spend_rate: Annotated[SpendRateSettings | None, _OFF] = None
    steps_without_user: Annotated[int | None, _OFF] = Field(
        default=None,
        ge=2,
        le=STEPS_MAX,
        description="So many turns of a model in a row, with tool calls and without a word of its user, are "
        "too many.",
    )
    stop_for_s: float = Field(
        default=STOP_FOR_S, gt=0, le=STOP_FOR_S_MAX, description="How long a stop lasts that a guard makes."
    )

    def policy(self, route: str = "") -> GuardPolicy:
        """As the domain wants it. `route` is the one whose own cost `spend_rate` counts."""
        return GuardPolicy(
            repeated_tool_call=None if self.repeated_tool_call is None else self.repeated_tool_call.rule(),
            spend_rate=None if self.spend_rate is None else self.spend_rate.rule(route),
            steps_without_user=self.steps_without_user,
            stop_for_s=self.stop_for_s,
        )


def route_policy(general: GuardSettings, own: GuardSettings | None, route: str) -> GuardPolicy | None:
    """What watches over one route; None: what watches everywhere."""
    if own is None:
        return None
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return general.model_copy(update=given).policy(route if "spend_rate" in given else "")
