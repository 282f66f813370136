"""`responses`: which answers are kept, and for how long it is known who keeps them."""

from typing import Annotated

from pydantic import Field

from entrypoints.config.sections import Section

KeptSeconds = Annotated[float, Field(gt=0, le=366 * 86_400)]


class RouteResponsesSettings(Section):
    """Interchange's own store of answers, for one route.

    With `store`, answers of `/v1/responses` are kept here with what was asked, so that they can be
    continued by their ids at any target, fetched and deleted; `"store": false` in a request keeps it out.
    """

    store: bool = Field(
        default=False, description="Keep questions and answers of this route in Interchange's own database."
    )
    retention_s: KeptSeconds = Field(default=30 * 86_400.0, description="How long they are kept.")

    @property
    def kept_s(self) -> float | None:
        """How long answers are kept; None: they are not."""
        return self.retention_s if self.store else None


class ResponsesSettings(Section):
    """What is remembered of answers that providers keep: no content, only whose they are."""

    retention_s: KeptSeconds = Field(
        default=30 * 86_400.0,
        description="How long the account is remembered that keeps an answer. OpenAI keeps answers 30 days.",
    )
    entries_per_tenant_max: int = Field(
        default=200_000, ge=100, le=100_000_000, description="Remembered ids per tenant; the oldest go first."
    )
