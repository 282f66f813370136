"""`experiments`: A/B tests of routes."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Annotated, Final, Literal

from pydantic import Field

from domain.errors import InvalidRequest
from domain.experiments.experiment import (
    ALPHA_MAX,
    ALPHA_USUAL,
    ARM_NAME_LENGTH_MAX,
    ARMS_MAX,
    GUARDRAILS_MAX,
    NAME_LENGTH_MAX,
    ROUTE_LENGTH_MAX,
    SAMPLES_MAX,
    SAMPLES_MIN,
    SAMPLES_USUAL,
    SHARE_USUAL,
    USD_PER_DAY_MAX,
    USD_PER_DAY_USUAL,
    WEIGHT_MAX,
    Arm,
    Experiment,
    ExperimentTerms,
    Guardrail,
    Metric,
    Shadow,
    Status,
    make_experiment,
)
from domain.experiments.standing import Standing, overlap
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.config.problems import ConfigPath, Finding
from entrypoints.config.sections import Section, Word
from entrypoints.experiment_objects import ArmBody, asked_arm

EXPERIMENTS_MAX: Final = 200
MetricName = Annotated[Literal["cost", "latency", "quality", "errors"], Word]


class ArmSettings(Section):
    """One way to answer: a share of the units gets it, always the same ones."""

    name: str = Field(min_length=1, max_length=ARM_NAME_LENGTH_MAX, description="Unique in the experiment.")
    route: str = Field(
        min_length=1, max_length=ROUTE_LENGTH_MAX, description="The route whose way of choosing is used."
    )
    weight: int | None = Field(
        default=None,
        ge=0,
        le=WEIGHT_MAX,
        description="Its share is this over the sum of all weights. Default: 1; a shadow has none.",
    )
    shadow: bool = Field(
        default=False,
        description="It answers nobody: requests that control answered are sent to it too, beside them.",
    )
    share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description=f"Of a shadow: the share of units it gets copies of. Default: {SHARE_USUAL:g}.",
    )
    usd_per_day: float | None = Field(
        default=None,
        gt=0,
        le=USD_PER_DAY_MAX,
        description="Of a shadow: what it may cost on a day (UTC), on all instances together; then nothing "
        f"more is sent. Default: {USD_PER_DAY_USUAL:g}.",
    )


class GuardrailSettings(Section):
    """Stops an arm that is worse than control by more than this, for sure; its share goes to control."""

    metric: MetricName
    worse_by: float = Field(
        ge=0,
        description="Of cost and latency a share of control's mean (0.2 is 20 % more); of quality and errors "
        "points from 0 to 1.",
    )


class ExperimentSettings(Section):
    """An A/B test of a route: arms answer its requests, each a share of the units; the first arm is control.

    Whoever takes no part is answered by the route as it is: who has no unit (names no user, where users are
    the units), and whose key may not use the routes of all arms. Shadows answer nobody.
    """

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX, description="Unique in this file.")
    route: str = Field(
        min_length=1, max_length=ROUTE_LENGTH_MAX, description="The route whose requests take part."
    )
    arms: tuple[ArmSettings, ...] = Field(
        min_length=2, max_length=ARMS_MAX, description="The first is control."
    )
    unit: Annotated[Literal["tenant", "user", "session", "request"], Word] = Field(
        default="user", description="Who keeps an arm: all requests of one are answered by the same."
    )
    metric: MetricName = Field(default="cost", description="What decides.")
    guardrails: tuple[GuardrailSettings, ...] = Field(
        default=(), max_length=GUARDRAILS_MAX, description="What no arm may cost. One for each metric."
    )
    min_samples: int = Field(
        default=SAMPLES_USUAL,
        ge=SAMPLES_MIN,
        le=SAMPLES_MAX,
        description="Units of each arm before anything is concluded.",
    )
    alpha: float = Field(
        default=ALPHA_USUAL,
        gt=0,
        le=ALPHA_MAX,
        description="The accepted chance of ever finding a difference that is none, however often one looks.",
    )
    smallest_effect: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Differences below this count as none, counted as `worse_by` is. Default: 0.05 of cost "
        "and latency, 0.02 of quality and errors.",
    )
    tenant: str | None = Field(
        default=None, min_length=1, max_length=64, description="Only this tenant's requests. Default: all."
    )
    status: Annotated[Literal["draft", "running", "stopped"], Word] = Field(
        default="running",
        description="Whether it runs. What is stopped answers nobody, and keeps its results.",
    )

    def experiment(self) -> Experiment:
        """As it is judged. Its id is made of what it says, so that results of another experiment of the same
        name are not mixed in. Raises InvalidRequest, naming the key, for what could not work."""
        terms = ExperimentTerms(
            name=self.name,
            route=self.route,
            arms=tuple(_arm(arm, place) for place, arm in enumerate(self.arms)),
            unit=self.unit,
            metric=self.metric,
            guardrails=tuple(
                Guardrail(metric=Metric(each.metric), worse_by=each.worse_by) for each in self.guardrails
            ),
            min_samples=self.min_samples,
            alpha=self.alpha,
            smallest_effect=self.smallest_effect,
            salt=self.name,
            everyone=self.tenant is None,
        )
        answering = tuple(arm for arm in terms.arms if isinstance(arm, Arm))
        said = repr((self.name, self.route, answering, self.unit, self.tenant))
        # Neither the share nor the cap of a shadow changes what a pair says.
        said += "".join(repr((arm.name, arm.route)) for arm in terms.arms if isinstance(arm, Shadow))
        digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return make_experiment(
            terms, experiment_id=f"expf_{digest}", owner=self.tenant or OPERATOR_TENANT, declared=True
        )

    def standing(self) -> Standing:
        """The same with its status. Raises InvalidRequest."""
        return Standing(experiment=self.experiment(), status=Status(self.status))


def _arm(said: ArmSettings, place: int) -> Arm | Shadow:
    words = {name: value for name, value in said.model_dump().items() if value is not None}
    return asked_arm(ArmBody(**words), place)


def experiment_findings(
    sections: tuple[ExperimentSettings, ...], routes: frozenset[str]
) -> Iterator[Finding]:
    """What is wrong about experiments that are well written, each told at the key that says it. `routes` are
    those of the file; the API may have made others."""
    names: dict[str, int] = {}
    seen: list[tuple[int, Standing]] = []
    for index, section in enumerate(sections):
        place: ConfigPath = ("experiments", index)
        first = names.setdefault(section.name, index)
        if first != index:
            text = f"names of experiments must differ; given more than once: {section.name}"
            yield Finding((*place, "name"), text, fatal=True)
            continue
        try:
            standing = section.standing()
        except InvalidRequest as error:
            keys = [int(key) if key.isdigit() else key for key in (error.param or "").split(".")]
            yield Finding((*place, *keys), error.message, fatal=True)
            continue
        for number, arm in enumerate(section.arms):
            if arm.route not in routes:
                yield Finding(
                    (*place, "arms", number, "route"),
                    f"route {arm.route!r} is not declared under `routes`; until it is, nobody takes part",
                )
        for other_index, other in seen:
            if standing.running and other.running and overlap(standing, other):
                text = (
                    f"two experiments run on the route {section.route} (the other is "
                    f"experiments[{other_index}]); of two, nobody could tell which made the difference"
                )
                yield Finding((*place, "route"), text, fatal=True)
        seen.append((index, standing))
