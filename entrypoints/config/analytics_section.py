"""`analytics` and `reports`: what savings are told against, what is advised, and which reports are sent."""

from typing import Annotated, Literal

from pydantic import Field

from entrypoints.config.sections import Section, Share, Word

REPORTS_MAX = 100
TargetName = Annotated[str, Field(pattern=r"^[^\s/]{1,64}/\S{1,190}$")]


class AnalyticsSettings(Section):
    """Analytics beside what is only counted."""

    baseline: TargetName | None = Field(
        default=None,
        description="`provider/model` that savings are told against: what the same requests would have cost "
        "there. Left out: no savings of routing are told.",
    )
    baselines: dict[str, TargetName] = Field(
        default_factory=dict, max_length=1000, description="The same for single routes, by name."
    )
    token_uncertainty: Share = Field(
        default=0.15,
        description="By which share another model's count of tokens may differ, where requests of both "
        "models on one route did not show it.",
    )
    recommendations: bool = Field(
        default=True, description="Whether every tenant's use is looked at once a day for advice."
    )
    quality_drop_max: Share = Field(
        default=0.05,
        description="How much worse (of 0 to 1) a model may be declared or measured and still be advised.",
    )
    commitment_discount: Share = Field(
        default=0.2,
        description="The most a provider is assumed to give for a commitment; advice about it says so.",
    )


class ReportSettings(Section):
    """A report that comes by itself, as the event `report.ready`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Its own, among a tenant's.")
    tenant: str = Field(default="default", min_length=1, max_length=64, description="Whose usage it is of.")
    every: Annotated[Literal["week", "month"], Word] = Field(
        default="month", description="Whole UTC weeks from Monday, or months; sent when they are over."
    )
    top: int = Field(default=5, ge=1, le=20, description="Lines of each section.")
    format: Annotated[Literal["json", "text"], Word] = Field(
        default="json", description="`json`: the figures; `text`: tables for people."
    )
