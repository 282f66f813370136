"""`ledger`: when a process counts as lost, and how long a bill is waited for."""

from typing import Self

from pydantic import Field, model_validator

from application.use_cases.keep_ledger import LedgerTimes
from entrypoints.config.sections import Section


class LedgerSettings(Section):
    """Three times that decide how long money stays held for what nobody hears of any more."""

    lost_after_s: float = Field(
        default=30.0,
        ge=10.0,
        le=3600.0,
        description="A process that the ledger has not heard of for so long gets no more of any budget.",
    )
    booked_after_s: float = Field(
        default=600.0,
        ge=10.0,
        le=86_400.0,
        description="After so long, what a lost process had leased counts as spent, unresolved, until its "
        "journal turns up or somebody resolves it.",
    )
    resolved_after_s: float = Field(
        default=86_400.0,
        ge=60.0,
        le=366 * 86_400.0,
        description="The stated deadline: what nobody knows the bill of is spent at the held amount then.",
    )

    @model_validator(mode="after")
    def _lost_before_booked(self) -> Self:
        if self.booked_after_s < self.lost_after_s:
            raise ValueError("booked_after_s must not be shorter than lost_after_s")
        return self

    def times(self) -> LedgerTimes:
        """The same in the application's words."""
        return LedgerTimes(
            lost_after_s=self.lost_after_s,
            booked_after_s=self.booked_after_s,
            resolved_after_s=self.resolved_after_s,
        )
