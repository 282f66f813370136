"""Targets and routes: offerings that an operator made callable, and how a request chooses among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from domain.catalog.offering import Offering
from domain.guards.policy import GuardPolicy
from domain.quality.policy import NO_QUALITY, QualityPolicy
from domain.recording.policy import NOTHING_RECORDED, RecordingPolicy
from domain.routing.cache_policy import OFF, CachePolicy
from domain.routing.effective_price import PriceContract
from domain.routing.prompt_cache import (
    DEFAULT_POLICY,
    NO_PROMPT_CACHING,
    UNKNOWN_HABIT,
    AffinityPolicy,
    CacheHabit,
    PromptCachingPolicy,
)
from domain.time import Timeouts


class Via(Enum):
    """Which way a call takes to its provider."""

    AUTO = "auto"
    """Through the gateway; direct when the gateway is down or would lose a field of the request."""
    PORTKEY = "portkey"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One offering at one configured provider. `provider` is the operator's name for it.

    `index` is its place in the compiled table, and its bit in every mask there.
    """

    index: int
    id: str
    provider: str
    model: str
    offering: Offering
    wire: str
    via: Via = Via.AUTO
    region: str | None = None
    compliance: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    simulated: bool = False
    batch_api: str = ""
    """Which batch API its provider offers: `openai`, `anthropic`, or none."""
    honours_idempotency_keys: bool = False
    """Whether its provider is known to carry out and bill requests of one `Idempotency-Key` once."""
    aliases: tuple[str, ...] = ()
    """Names the operator gave it. The offering's aliases, unlike these, mean something to the provider."""
    prompt_cache: CacheHabit = UNKNOWN_HABIT
    """How its provider keeps prompts, as far as is known before it was asked anything."""
    contract: PriceContract | None = None
    """What the operator agreed with the provider, for all of its targets; None: list prices."""
    tenant_id: str = ""
    """Whose it is alone: no other tenant's request may go there. Empty: everybody's."""

    @property
    def own_id(self) -> str:
        """Its id as the tenant says that has it alone, who needs not name itself."""
        return self.id.removeprefix(f"{self.tenant_id}:") if self.tenant_id else self.id

    @property
    def own_provider(self) -> str:
        """The same of its provider."""
        return self.provider.removeprefix(f"{self.tenant_id}:") if self.tenant_id else self.provider


def tagged(target: Target, tag: str) -> bool:
    """Whether the target has the tag, of its own or from its offering."""
    return tag in target.tags or tag in target.offering.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTarget:
    """A target's place in one route. Smaller `priority` comes first; `weight` shares the traffic."""

    target: Target
    weight: float = 1.0
    priority: int = 0


class StreamRecovery(Enum):
    """What follows when a stream breaks after its first content."""

    ERROR = "error"
    CONTINUE = "continue"


class UsageCost(Enum):
    """Where an answer's `usage` object gets a `cost`; headers tell it in any case where they can."""

    ASKED = "asked"
    """In the stream chunk an OpenAI caller asked usage for: headers are gone by then. All else is kept."""
    ALWAYS = "always"
    NEVER = "never"


class Passthrough(Enum):
    """Whether a route's callers may use their own credentials of a provider."""

    OFF = "off"
    ALLOWED = "allowed"
    """They may; without one, and when another target takes over, ours are used."""
    ONLY = "only"
    """They must: none of ours is ever used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A name a caller may ask for as `model`, and the policy behind it.

    `retries` are on one target before the next; `max_fallbacks` counts further targets after the first.
    """

    name: str
    targets: tuple[RouteTarget, ...]
    strategy: str = "balanced"
    max_fallbacks: int = 3
    retries: int = 2
    timeouts: Timeouts = Timeouts()  # noqa: RUF009 - an immutable value
    stream_recovery: StreamRecovery = StreamRecovery.ERROR
    usage_cost: UsageCost = UsageCost.ASKED
    answers_kept_s: float | None = None
    """How long Interchange itself keeps whole answers, so that they can be continued by their ids at any
    target; None: it keeps none."""
    stand_ins: Mapping[int, Target] = field(default_factory=dict)
    """By `Target.index`: the same target under the snapshot or fine-tuned name that was asked for."""
    affinity: AffinityPolicy = DEFAULT_POLICY
    """Whether and how a conversation keeps the target where its prompt cache is warm."""
    prompt_caching: PromptCachingPolicy = NO_PROMPT_CACHING
    """Whether its prompts are made cacheable at their providers."""
    passthrough: Passthrough = Passthrough.OFF
    """Whether a caller's own provider credential goes upstream."""
    max_output_tokens: int | None = None
    """The limit on answers of callers who set none; None: the model's own."""
    clamp_to_budget: bool = False
    """Whether an answer may be limited to what a budget still affords, rather than refused."""
    cache: CachePolicy = OFF
    """Whether and how earlier answers are used again."""
    guards: GuardPolicy | None = None
    """What watches over its agents; None: what watches everywhere."""
    privacy: str = ""
    """The privacy policy of its requests; empty: the general one."""
    guardrails: tuple[str, ...] = ()
    """Guardrails of its requests, besides those for all."""
    recording: RecordingPolicy = NOTHING_RECORDED
    """What is kept of its prompts and answers."""
    quality: QualityPolicy = NO_QUALITY
    """What is done to find out how good its answers are, and whether that ranks its targets."""
    implicit: bool = False
    """Made for a catalogue model or `provider/model`, not named by the operator."""
