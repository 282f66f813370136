"""An experiment as people write it: arms that answer one route, and what decides between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from domain.errors import InvalidRequest

NAME_LENGTH_MAX: Final = 100
ARM_NAME_LENGTH_MAX: Final = 40
ROUTE_LENGTH_MAX: Final = 200
ARMS_MAX: Final = 8
GUARDRAILS_MAX: Final = 4
WEIGHT_MAX: Final = 10_000
SAMPLES_MIN: Final = 10
SAMPLES_MAX: Final = 1_000_000
SAMPLES_USUAL: Final = 100
ALPHA_USUAL: Final = 0.05
ALPHA_MAX: Final = 0.2
WORSE_BY_MAX: Final = 100.0
SHARE_USUAL: Final = 0.1
USD_PER_DAY_USUAL: Final = 1.0
USD_PER_DAY_MAX: Final = 1_000_000.0

_Choice = TypeVar("_Choice", bound=Enum)


class Unit(Enum):
    """Who keeps an arm: all requests of one unit are answered by the same one."""

    TENANT = "tenant"
    USER = "user"
    SESSION = "session"
    REQUEST = "request"


class Metric(Enum):
    """What arms are compared by; of each unit, the mean over its requests."""

    COST = "cost"
    """Nano-dollars of a request; what is unknown is left out."""
    LATENCY = "latency"
    """Microseconds from begin to end of answers that succeeded."""
    QUALITY = "quality"
    """Scores from 0 to 1 that people and judges gave; what nobody scored is left out."""
    ERRORS = "errors"
    """The share of requests that failed."""

    @property
    def more_is_better(self) -> bool:
        return self is Metric.QUALITY

    @property
    def relative(self) -> bool:
        """Whether differences are shares of control's mean; else they are points of a share or score."""
        return self in (Metric.COST, Metric.LATENCY)

    @property
    def bounded(self) -> bool:
        """Whether its values are from 0 to 1."""
        return not self.relative


class Status(Enum):
    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A share of the units, `weight` of the sum of all weights, answered as `route` says."""

    name: str
    route: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """An arm that answers nobody: a `share` of the units (above 0, at most 1) has its requests sent to it
    too, beside them. `usd_per_day` (UTC) is what it may cost; then nothing more is sent."""

    name: str
    route: str
    share: float = SHARE_USUAL
    usd_per_day: float = USD_PER_DAY_USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """Stops an arm that is worse than control by more than `worse_by`: of cost and latency, a share of
    control's mean; of quality and errors, points from 0 to 1."""

    metric: Metric
    worse_by: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentTerms:
    """The words. None: the usual. Of `arms`, the first is control and is no shadow."""

    name: str
    route: str
    arms: Sequence[Arm | Shadow]
    unit: str = Unit.USER.value
    metric: str = Metric.COST.value
    guardrails: Sequence[Guardrail] = ()
    min_samples: int = SAMPLES_USUAL
    alpha: float = ALPHA_USUAL
    smallest_effect: float | None = None
    salt: str = ""
    everyone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The first arm is control. `owner` is the tenant whose it is, and whose requests take part; with
    `everyone` those of all tenants do. `arms` answer requests, `shadows` do not.

    `min_samples` units of each arm are needed before anything is concluded. `smallest_effect` is the
    difference (as `Guardrail.worse_by` counts) below which arms count as the same. `alpha` is the chance of
    ever finding a difference of the primary metric where there is none, however often somebody looks; it is
    also the chance of ever stopping an arm that is no worse than control.
    """

    experiment_id: str
    owner: str
    name: str
    route: str
    arms: tuple[Arm, ...]
    unit: Unit
    metric: Metric
    guardrails: tuple[Guardrail, ...]
    min_samples: int
    alpha: float
    smallest_effect: float
    salt: str
    everyone: bool = False
    declared: bool = False
    shadows: tuple[Shadow, ...] = ()

    @property
    def control(self) -> Arm:
        return self.arms[0]

    @property
    def compared(self) -> tuple[Arm | Shadow, ...]:
        """Everything that is compared with control."""
        return (*self.arms[1:], *self.shadows)

    def arm(self, name: str) -> Arm | Shadow:
        """Raises InvalidRequest."""
        for arm in (self.control, *self.compared):
            if arm.name == name:
                return arm
        names = ", ".join(each.name for each in (self.control, *self.compared))
        raise InvalidRequest(f"arm: there is no arm {name[:100]!r}; there are {names}", param="arm")


def make_experiment(
    terms: ExperimentTerms, *, experiment_id: str, owner: str, declared: bool = False
) -> Experiment:
    """The experiment these words describe. Raises InvalidRequest, naming the field, for what could not be
    one. Whether its routes exist is asked where routes are known."""
    _text(terms.name, "name", NAME_LENGTH_MAX)
    _text(terms.route, "route", ROUTE_LENGTH_MAX)
    unit = _one_of(Unit, terms.unit, "unit")
    metric = _one_of(Metric, terms.metric, "metric")
    _check_arms(terms.arms)
    _check_guardrails(terms.guardrails)
    if not SAMPLES_MIN <= terms.min_samples <= SAMPLES_MAX:
        raise InvalidRequest(f"min_samples must be from {SAMPLES_MIN} to {SAMPLES_MAX}", param="min_samples")
    if not 0 < terms.alpha <= ALPHA_MAX:
        raise InvalidRequest(f"alpha must be above 0, and at most {ALPHA_MAX}", param="alpha")
    usual = 0.05 if metric.relative else 0.02
    smallest = usual if terms.smallest_effect is None else terms.smallest_effect
    if not 0 < smallest <= 1:
        raise InvalidRequest("smallest_effect must be above 0, and at most 1", param="smallest_effect")
    if len(terms.salt) > NAME_LENGTH_MAX:
        raise InvalidRequest(f"salt has at most {NAME_LENGTH_MAX} characters", param="salt")
    return Experiment(
        experiment_id=experiment_id,
        owner=owner,
        name=terms.name,
        route=terms.route,
        arms=tuple(each for each in terms.arms if isinstance(each, Arm)),
        shadows=tuple(each for each in terms.arms if isinstance(each, Shadow)),
        unit=unit,
        metric=metric,
        guardrails=tuple(terms.guardrails),
        min_samples=terms.min_samples,
        alpha=terms.alpha,
        smallest_effect=smallest,
        salt=terms.salt or experiment_id,
        everyone=terms.everyone,
        declared=declared,
    )


def terms_of(experiment: Experiment) -> ExperimentTerms:
    """The words it was made from, with what was left out filled in."""
    return ExperimentTerms(
        name=experiment.name,
        route=experiment.route,
        arms=(experiment.control, *experiment.compared),
        unit=experiment.unit.value,
        metric=experiment.metric.value,
        guardrails=experiment.guardrails,
        min_samples=experiment.min_samples,
        alpha=experiment.alpha,
        smallest_effect=experiment.smallest_effect,
        salt=experiment.salt,
        everyone=experiment.everyone,
    )


def _check_arms(arms: Sequence[Arm | Shadow]) -> None:
    if not 2 <= len(arms) <= ARMS_MAX:
        raise InvalidRequest(f"arms: an experiment has 2 to {ARMS_MAX}; the first is control", param="arms")
    if isinstance(arms[0], Shadow):
        raise InvalidRequest(
            "the first arm is control, which answers requests: it cannot be a shadow", param="arms.0.shadow"
        )
    names: set[str] = set()
    for place, arm in enumerate(arms):
        _text(arm.name, f"arms.{place}.name", ARM_NAME_LENGTH_MAX)
        _text(arm.route, f"arms.{place}.route", ROUTE_LENGTH_MAX)
        if isinstance(arm, Shadow):
            _check_shadow(arm, place)
        elif not 1 <= arm.weight <= WEIGHT_MAX:
            raise InvalidRequest(
                f"weight must be a whole number from 1 to {WEIGHT_MAX}", param=f"arms.{place}.weight"
            )
        if arm.name in names:
            raise InvalidRequest(f"two arms are called {arm.name!r}", param=f"arms.{place}.name")
        names.add(arm.name)


def _check_shadow(shadow: Shadow, place: int) -> None:
    if not 0 < shadow.share <= 1:
        raise InvalidRequest(
            f"share of {shadow.name!r} must be above 0, and at most 1", param=f"arms.{place}.share"
        )
    if not 0 < shadow.usd_per_day <= USD_PER_DAY_MAX:
        raise InvalidRequest(
            f"usd_per_day must be above 0, and at most {USD_PER_DAY_MAX:,.0f}",
            param=f"arms.{place}.usd_per_day",
        )


def _check_guardrails(guardrails: Sequence[Guardrail]) -> None:
    if len(guardrails) > GUARDRAILS_MAX:
        raise InvalidRequest(f"at most {GUARDRAILS_MAX} guardrails", param="guardrails")
    if len({each.metric for each in guardrails}) < len(guardrails):
        raise InvalidRequest("one guardrail for each metric", param="guardrails")
    for place, guardrail in enumerate(guardrails):
        most = WORSE_BY_MAX if guardrail.metric.relative else 1.0
        if not 0 <= guardrail.worse_by <= most:
            raise InvalidRequest(
                f"worse_by of {guardrail.metric.value} must be from 0 to {most:g}",
                param=f"guardrails.{place}.worse_by",
            )


def _text(text: str, param: str, length_max: int) -> None:
    if not text or len(text) > length_max or not text.isprintable():
        raise InvalidRequest(f"{param} must be 1 to {length_max} printable characters", param=param)


def _one_of(kind: type[_Choice], value: str, param: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(each.value) for each in kind)
        raise InvalidRequest(f"{param} must be one of {allowed}, not {value[:40]!r}", param=param) from None
