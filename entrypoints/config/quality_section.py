"""`quality`, and `quality` of routes: finding out how good answers are."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.quality.checks import TEXT_CHECKS, TextLimits
from domain.quality.policy import (
    JUDGE_SAMPLE_DEFAULT,
    JUDGE_USD_PER_DAY_DEFAULT,
    RUBRIC_CHARS_MAX,
    SAMPLE_DEFAULT,
    JudgePolicy,
    QualityPolicy,
)
from entrypoints.config.sections import Section, Share


def _all_checks(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() == "all":
        return TEXT_CHECKS
    return value


CheckName = Literal[
    "empty", "refusal", "invalid_json", "schema_mismatch", "repetitive", "too_short", "too_long"
]
Checks = Annotated[tuple[CheckName, ...], BeforeValidator(_all_checks)]


class JudgeSettings(Section):
    """A model that scores some answers, beside the requests. Its calls take the whole way of a request in the
    name of whoever asked: they are held to the same residency, counted against the same budgets, and recorded
    with the workflow `quality-judge`. Only questions of plain text are judged."""

    model: str = Field(
        min_length=1, max_length=512, description="A route, or whatever else a caller may name as `model`."
    )
    sample: Share = Field(default=JUDGE_SAMPLE_DEFAULT, description="The share of answers, drawn at random.")
    rubric: str = Field(
        default="",
        max_length=RUBRIC_CHARS_MAX,
        description="What a good answer is, in a sentence or a few. Empty: correct, complete, to the point.",
    )
    usd_per_day: float = Field(
        default=JUDGE_USD_PER_DAY_DEFAULT,
        ge=0,
        le=1_000_000,
        description="What judging may cost per tenant, route and day (UTC), in each process.",
    )


class RouteQualitySettings(Section):
    """What is done to find out how good this route's answers are. Without this section: nothing. What is kept
    is what was found, never the answer."""

    checks: Checks = Field(
        default=TEXT_CHECKS,
        max_length=len(TEXT_CHECKS),
        description="Checks of the answers' text, or `all`. They are made after the answer was given.",
    )
    sample: Share = Field(
        default=SAMPLE_DEFAULT, description="The share of answers that are checked, drawn at random."
    )
    chars_min: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Shorter answers are `too_short`; null: none is."
    )
    chars_max: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Longer answers are `too_long`; null: none is."
    )
    judge: JudgeSettings | None = Field(default=None, description="Null: no model judges.")
    learned: bool = Field(
        default=False,
        description="Whether its targets are ranked by what was learned of their quality (feedback, judges, "
        "checks) rather than by the declared `quality`. It counts wherever quality does: the strategies "
        "`quality` and `cost_per_quality`, and demands for a least quality.",
    )

    @model_validator(mode="after")
    def _lengths_leave_room(self) -> "RouteQualitySettings":
        if self.chars_min is not None and self.chars_max is not None and self.chars_min > self.chars_max:
            raise ValueError("chars_min must not be above chars_max")
        return self

    def policy(self) -> QualityPolicy:
        """As the domain wants it."""
        judge = self.judge
        bounded = self.chars_min is not None or self.chars_max is not None
        return QualityPolicy(
            checks=self.checks,
            sample=self.sample,
            limits=TextLimits(self.chars_min, self.chars_max) if bounded else None,
            judge=None
            if judge is None
            else JudgePolicy(judge.model, judge.sample, judge.rubric, judge.usd_per_day),
            learned=self.learned,
        )


class QualitySettings(Section):
    """Of all that is known of the quality of answers."""

    window_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="What routing and metrics know of quality rests on so many last days.",
    )
    refresh_s: float = Field(
        default=60.0, ge=0.1, le=3600, description="How often routing and metrics look again."
    )
    retention_days: int = Field(
        default=180, ge=1, le=3650, description="How long feedback and findings are kept."
    )
