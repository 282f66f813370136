"""What a route does to find out how good its answers are. Nothing, unless it says so."""

from typing import Final, NamedTuple

from domain.quality.checks import TEXT_CHECKS, TextLimits

SAMPLE_DEFAULT: Final = 0.1
JUDGE_SAMPLE_DEFAULT: Final = 0.01
JUDGE_USD_PER_DAY_DEFAULT: Final = 1.0
RUBRIC_CHARS_MAX: Final = 2_000


class JudgePolicy(NamedTuple):
    """A model that scores some answers. `model` is what a caller would ask for."""

    model: str
    sample: float = JUDGE_SAMPLE_DEFAULT
    """The share of requests, 0 to 1."""
    rubric: str = ""
    """What a good answer is, in the operator's words; empty: correct, complete and to the point."""
    usd_per_day: float = JUDGE_USD_PER_DAY_DEFAULT
    """What it may cost per tenant, route and day (UTC), in each process; then nothing more is judged."""


class QualityPolicy(NamedTuple):
    """`checks` are names of TEXT_CHECKS, made on the share `sample` of answers, after they were given."""

    checks: tuple[str, ...] = TEXT_CHECKS
    sample: float = SAMPLE_DEFAULT
    limits: TextLimits | None = None
    judge: JudgePolicy | None = None
    learned: bool = False
    """Whether its targets are ranked by what was learned of their quality, rather than what is declared."""

    @property
    def looks(self) -> bool:
        """Whether any answer may be looked at."""
        return (self.sample > 0 and bool(self.checks)) or (self.judge is not None and self.judge.sample > 0)


NO_QUALITY: Final = QualityPolicy(checks=(), sample=0.0)
