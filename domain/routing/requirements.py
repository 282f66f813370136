"""What a caller demands of whoever answers; every field narrows, none widens."""

from dataclasses import dataclass

from domain.llm.capabilities import NO_CAPABILITY, Capability


@dataclass(slots=True)
class Requirements:
    """Hard demands (SPEC L5) and the sizes they are judged at.

    `input_tokens` and `output_tokens` are typical estimates for ranking and price ceilings.
    `max_cost_nano_usd_per_mtok` is the caller's USD per token, blended at those sizes.
    `max_latency_ms` bounds the predicted p95 of the whole answer. Empty sets demand nothing.
    """

    capabilities: Capability = NO_CAPABILITY
    input_tokens: int = 0
    output_tokens: int = 0
    window_tokens: int | None = None
    """What must fit a context window at once; None: input and output together. 0 where nothing is known."""
    max_cost_nano_usd_per_mtok: int | None = None
    max_cost_nano_usd: int | None = None
    max_latency_ms: int | None = None
    residency: str | None = None
    held_to: str = ""
    """A second residency, which the caller's tenant is held to whatever its callers ask for."""
    without_gateway: bool = False
    """Whether no gateway may carry it, because it stands where the content may not be."""
    compliance: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    quality_floor: float | None = None
    strategy: str | None = None
    tenant_id: str = ""
    """Whose request it is: targets that another tenant has alone are closed to it. Empty: all such are."""
    allowed_models: frozenset[str] | None = None
    """Ids of targets, routes or providers (`acme/*`) this key may use; None: all."""
    only_target: str | None = None
    """Id of the one target that may answer, because it keeps what this request refers to."""
    only_provider: str | None = None
    """The one provider that may answer, for the same reason, with whatever the route has there."""
    only_among: frozenset[str] | None = None
    """Ids of the route's targets that a privacy policy lets its personal data go to; None: it holds none."""
    only_credential: str = ""
    """Id of the one key of that target's provider whose account keeps it; empty: any."""
    keep_for: str = ""
    """The parameter that asks for an answer to be kept by its provider; empty: it need not be."""
    native_for: tuple[str, str] | None = None
    """(path in the body, what stands there) that only a provider of the Responses API can do."""

    affinity: bool = True
    """Whether a warm prompt cache may keep the conversation where it was."""
    said: str = ""
    """What the caller itself demanded, as `name=value`, comma separated; for records alone."""

    @property
    def window_needed_tokens(self) -> int:
        """Tokens that must fit a target's context window; 0 demands nothing."""
        if self.window_tokens is not None:
            return self.window_tokens
        return self.input_tokens + self.output_tokens

    @property
    def modest(self) -> bool:
        """Whether nothing is demanded but capabilities and room for the request: the usual case."""
        return (
            self.allowed_models is None
            and self.only_target is None
            and self.only_provider is None
            and self.only_among is None
            and not self.keep_for
            and self.native_for is None
            and self.residency is None
            and not self.held_to
            and not self.without_gateway
            and self.strategy is None
            and self.max_cost_nano_usd_per_mtok is None
            and self.max_cost_nano_usd is None
            and self.max_latency_ms is None
            and self.quality_floor is None
            and not self.compliance
            and not self.tags
        )


REGIONS = ("us-east", "us-west", "eu-west", "eu-central", "apac", "global")
"""The regions every installation knows; operators may add their own."""
