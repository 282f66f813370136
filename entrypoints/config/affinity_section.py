"""`routes.*.affinity`: how hard a route holds on to the target whose prompt cache is warm."""

from pydantic import Field

from domain.routing.prompt_cache import AffinityPolicy
from entrypoints.config.sections import Seconds, Section, Share


class AffinitySettings(Section):
    """Conversations stay with the target that has their beginning in its prompt cache, unless moving is
    clearly worth it or forced. Needs no setting; docs/affinity.md states the rule."""

    enabled: bool = True
    ttl_s: Seconds | None = Field(
        default=None, description="How long a prompt cache is taken to live; unset: what the provider states."
    )
    min_prefix_tokens: int = Field(
        default=1024, ge=0, le=100_000_000, description="A shorter warm beginning is not worth staying for."
    )
    min_gain: Share = Field(
        default=0.1, description="By which share another target must be better before a conversation moves."
    )
    latency_factor: float = Field(
        default=2.0, ge=1, le=1000, description="Strategy latency leaves for a wait so many times shorter."
    )
    quality_gain: Share = Field(
        default=0.1, description="Strategy quality leaves for a quality better by so much."
    )

    def policy(self) -> AffinityPolicy:
        """As the domain wants it."""
        return AffinityPolicy(**self.model_dump())
