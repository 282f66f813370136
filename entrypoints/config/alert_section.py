"""`objectives` and `alerts`: what a good service is, and when somebody is told that it is not."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from application.sla.terms import RUNBOOKS, AlertTerms
from domain.errors import InterchangeError, InvalidConfiguration
from domain.sla.objective import DEFAULT_OBJECTIVES, WINDOW_DAYS_MAX, Aspect, Objective
from domain.sla.rules import RULES, SCOPED, AlertRule, Severity
from entrypoints.config.problems import Finding
from entrypoints.config.sections import Section, Share

OBJECTIVES_MAX: Final = 100
RULES_MAX: Final = 200
AlertName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")]
_SCOPE_LENGTH_MAX: Final = 200
_DEFAULTS: Final = {each.name: each for each in DEFAULT_OBJECTIVES}


class ObjectiveSettings(Section):
    """A share of requests that has to be good. Under the name of a built-in objective: what is different."""

    aspect: Literal["availability", "error_rate", "hit_ratio", "latency", "overhead"] | None = Field(
        default=None, description="What is looked at. Built-in objectives have theirs."
    )
    target: float | None = Field(default=None, gt=0, lt=1, description="Share of good requests: 0.999.")
    limit_ms: float | None = Field(
        default=None,
        ge=1,
        le=60_000,
        description="Of latency and overhead: what is good takes at most so long.",
    )
    aim: Share | None = Field(default=None, description="What one would like to have; shown beside.")
    window_days: float | None = Field(
        default=None, ge=1, le=WINDOW_DAYS_MAX, description="Over how many days. Default: 30."
    )
    tenant: str = Field(default="", max_length=_SCOPE_LENGTH_MAX, description="Only requests of this tenant.")
    route: str = Field(default="", max_length=_SCOPE_LENGTH_MAX, description="Only requests of this route.")
    enabled: bool = Field(default=True, description="False: there is no such objective.")

    def objective(self, name: str) -> Objective:
        """Raises InvalidConfiguration, naming the key."""
        known = _DEFAULTS.get(name)
        said = {
            "aspect": None if self.aspect is None else Aspect(self.aspect),
            "target": self.target,
            "limit_ms": self.limit_ms,
            "aim": self.aim,
            "window_days": self.window_days,
            "tenant_id": self.tenant or None,
            "route": self.route or None,
        }
        given = {key: value for key, value in said.items() if value is not None}
        if known is not None:
            return replace(known, **given)  # type: ignore[arg-type]
        if "aspect" not in given or "target" not in given:
            raise _missing("aspect" if "aspect" not in given else "target")
        return Objective(name=name, **given)  # type: ignore[arg-type]


class AlertRuleSettings(Section):
    """An alert. Under the name of a built-in one: what is different; else `like` says what it looks at."""

    enabled: bool = Field(default=True, description="False: it does not fire.")
    like: AlertName | None = Field(
        default=None, description=f"For a rule of one's own: one of {', '.join(sorted(SCOPED))}."
    )
    threshold: float | None = Field(default=None, ge=0, description="In the rule's unit; see docs/alerts.md.")
    clear_at: float | None = Field(
        default=None,
        ge=0,
        description="Where it is good again, on the good side of the threshold. Default: the built-in one as "
        "far as that is so, else the threshold.",
    )
    for_s: float | None = Field(
        default=None, ge=0, le=86_400, description="How long it must be so before it fires."
    )
    resolve_s: float | None = Field(
        default=None, ge=0, le=86_400, description="How long it must be good before it is over."
    )
    window_s: float | None = Field(
        default=None, ge=60, le=21_600, description="How far back each look goes; in whole minutes."
    )
    least: int | None = Field(
        default=None, ge=1, le=1_000_000, description="With fewer requests in the window nothing is judged."
    )
    severity: Literal["warning", "critical"] | None = None
    tenant: str = Field(default="", max_length=_SCOPE_LENGTH_MAX, description="Only requests of this tenant.")
    route: str = Field(default="", max_length=_SCOPE_LENGTH_MAX, description="Only requests of this route.")

    def rule(self, name: str) -> AlertRule:
        """Raises InvalidConfiguration, naming the key."""
        known = RULES.get(name)
        if known is None and self.like is None:
            raise _wrong(f"there is no built-in alert {name!r}; say which one it is like", "like")
        if known is None and self.like not in SCOPED:
            raise _wrong(f"a rule of one's own is like one of {', '.join(sorted(SCOPED))}", "like")
        if known is not None and self.like is not None:
            raise _wrong("a built-in alert is like itself; give another name", "like")
        base = known or RULES[self.like or ""]
        if (self.tenant or self.route) and base.looks_at not in SCOPED:
            raise _wrong(
                "this alert is not of single tenants or routes", "tenant" if self.tenant else "route"
            )
        given: dict[str, Any] = {
            key: getattr(self, key)
            for key in ("threshold", "for_s", "resolve_s", "window_s", "least")
            if getattr(self, key) is not None
        }
        threshold = given.get("threshold", base.threshold)
        inside = base.clear_at <= threshold if base.above else base.clear_at >= threshold
        given["clear_at"] = (
            self.clear_at if self.clear_at is not None else base.clear_at if inside else threshold
        )
        if self.severity is not None:
            given["severity"] = Severity(self.severity)
        return replace(
            base,
            name=name,
            kind="" if known is not None else base.name,
            tenant_id=self.tenant,
            route=self.route,
            enabled=self.enabled,
            **given,
        )


class AlertSettings(Section):
    """Alerts that the installation judges itself, and tells as `alert.fired` and `alert.resolved`."""

    enabled: bool = Field(default=True, description="False: nothing is judged here; Prometheus may still do.")
    runbooks: str = Field(
        default=RUNBOOKS, max_length=500, description="Where remedies are; `#alert-<name>` is put behind."
    )
    rules: dict[AlertName, AlertRuleSettings] = Field(
        default_factory=dict, max_length=RULES_MAX, description="Alerts by name, beside the built-in ones."
    )


def alert_terms(objectives: Mapping[str, ObjectiveSettings], alerts: AlertSettings) -> AlertTerms:
    """What is in force. Raises InvalidConfiguration."""
    wanted = {**_DEFAULTS, **{name: each.objective(name) for name, each in objectives.items()}}
    return AlertTerms(
        objectives=tuple(
            each for name, each in wanted.items() if name not in objectives or objectives[name].enabled
        ),
        rules={**RULES, **{name: each.rule(name) for name, each in alerts.rules.items()}},
        runbooks=alerts.runbooks,
        enabled=alerts.enabled,
    )


def alert_findings(objectives: Mapping[str, ObjectiveSettings], alerts: AlertSettings) -> Iterator[Finding]:
    """What is wrong about objectives and alerts that are well written, each told at the key that says it."""
    for name, objective in objectives.items():
        try:
            objective.objective(name)
        except InterchangeError as error:
            yield Finding(("objectives", name, error.param or "target"), error.message, fatal=True)
    for name, rule in alerts.rules.items():
        try:
            rule.rule(name)
        except InterchangeError as error:
            yield Finding(("alerts", "rules", name, error.param or "threshold"), error.message, fatal=True)


def _missing(param: str) -> InterchangeError:
    return _wrong(f"an objective of one's own needs {param}", param)


def _wrong(message: str, param: str) -> InterchangeError:
    return InvalidConfiguration(message, param=param)
