"""`routes`: what callers may ask for as `model`."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema

from domain.routing.target import Passthrough, StreamRecovery, UsageCost
from domain.time import Timeouts
from entrypoints.config.affinity_section import AffinitySettings
from entrypoints.config.cache_sections import CacheSettings
from entrypoints.config.guard_sections import GuardSettings
from entrypoints.config.prompt_caching_section import PromptCachingSettings
from entrypoints.config.quality_section import RouteQualitySettings
from entrypoints.config.recording_section import RecordSettings
from entrypoints.config.response_sections import RouteResponsesSettings
from entrypoints.config.sections import Seconds, Section, Word


def _underscored(value: object) -> object:
    return value.strip().lower().replace("-", "_") if isinstance(value, str) else value


StrategyName = Annotated[
    Literal[
        "balanced",
        "cost",
        "latency",
        "quality",
        "priority",
        "weighted",
        "geographic",
        "cost_per_quality",
    ],
    BeforeValidator(_underscored),
]


class RouteTargetSettings(Section):
    """One target of a route, `provider/model`. In YAML the bare text stands for the whole."""

    target: str = Field(pattern=r"^[^/\s]+/\S+$", max_length=320)
    weight: float = Field(default=1.0, ge=0, le=1_000_000)
    priority: int = Field(default=0, ge=0, le=1_000_000, description="Smaller comes first.")

    @model_validator(mode="before")
    @classmethod
    def _bare_text_is_a_target(cls, value: object) -> object:
        return {"target": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        mapping = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": "string", "pattern": r"^[^/\s]+/\S+$"}, dict(mapping)]}

    @property
    def provider(self) -> str:
        return self.target.partition("/")[0]

    @property
    def model(self) -> str:
        return self.target.partition("/")[2]


class TimeoutSettings(Section):
    """Bounds of one route in seconds. `headers_s` left out is PROVIDER_TIMEOUT_SECONDS."""

    connect_s: Seconds = 5.0
    headers_s: Seconds | None = None
    first_token_s: Seconds = 120.0
    idle_s: Seconds = 120.0
    total_s: Seconds = 600.0
    stream_total_s: Seconds = 3600.0
    keep_alive_after_s: Seconds = 10.0

    def timeouts(self, provider_timeout_s: float) -> Timeouts:
        """As the domain wants them."""
        return Timeouts(
            connect_s=self.connect_s,
            headers_s=provider_timeout_s if self.headers_s is None else self.headers_s,
            first_token_s=self.first_token_s,
            idle_s=self.idle_s,
            total_s=self.total_s,
            stream_total_s=self.stream_total_s,
            keep_alive_after_s=self.keep_alive_after_s,
        )


class RouteSettings(Section):
    """A name a caller may ask for as `model`. `retries` are on one target, before the next."""

    strategy: StrategyName = "balanced"
    targets: tuple[RouteTargetSettings, ...] = Field(min_length=1, max_length=10_000)
    max_fallbacks: int = Field(default=3, ge=0, le=3)
    retries: int = Field(default=2, ge=0, le=10)
    timeouts: TimeoutSettings = TimeoutSettings()
    stream_recovery: Annotated[StreamRecovery, Word] = StreamRecovery.ERROR
    usage_cost: Annotated[UsageCost, Word] = Field(
        default=UsageCost.ASKED,
        description="Where `usage` gets a `cost`: in OpenAI streams whose caller asked for usage, always, "
        "or never. Answers of the caller's own family are otherwise passed on byte for byte.",
    )
    passthrough_credentials: bool | Literal["only"] = Field(
        default=False,
        description="Whether callers who send their key of Interchange in x-interchange-key may use their "
        "own provider credential. It goes to the route's first provider of the caller's family, directly and "
        "to nobody else; such calls cost nothing here. `only` refuses requests without one, and never fails "
        "over to targets that need a key of ours.",
    )
    max_output_tokens: int | None = Field(
        default=None,
        ge=16,
        le=10_000_000,
        description="The limit on answers of callers who set none, lowered to what the model can write. It "
        "is told in x-interchange-max-tokens, and makes what such requests can cost, and so what a hard "
        "budget has to hold for them, smaller.",
    )
    clamp_to_budget: bool = Field(
        default=False,
        description="Whether an answer that a hard budget cannot afford whole is limited to what it affords, "
        "told in x-interchange-max-tokens, instead of refused. Never with tools, a schema or reasoning, and "
        "never below 16 tokens.",
    )
    cache: CacheSettings = CacheSettings()
    affinity: AffinitySettings = AffinitySettings()
    prompt_caching: PromptCachingSettings = PromptCachingSettings()
    responses: RouteResponsesSettings = RouteResponsesSettings()
    privacy: str = Field(
        default="",
        max_length=63,
        description="The privacy policy of its requests, by name; empty: the general one. That of a "
        "tenant can only make it stricter.",
    )
    record: RecordSettings = RecordSettings()
    quality: RouteQualitySettings | None = Field(
        default=None,
        description="How its answers are looked at, and whether that ranks its targets; null: not at all.",
    )
    guardrails: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Guardrails of its requests, by name, besides those for all and those of tenants.",
    )
    guards: GuardSettings | None = Field(
        default=None, description="Keys given here go before those of the general `guards`."
    )

    @property
    def passthrough(self) -> Passthrough:
        """The same in the domain's words."""
        if self.passthrough_credentials == "only":
            return Passthrough.ONLY
        return Passthrough.ALLOWED if self.passthrough_credentials else Passthrough.OFF

    @property
    def declares_priorities(self) -> bool:
        """Whether the targets' priorities are as declared; otherwise their order is a wish to be weighed.

        Only balanced weighs it. Every other strategy would take it for an order to exhaust the first target
        before the second gets anything.
        """
        return self.strategy != "balanced" or any(target.priority for target in self.targets)
