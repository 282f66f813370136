"""`privacy`: what is done about personal data and secrets in what callers send and get."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from domain.privacy.kinds import NATIONAL_ID_KINDS, SECRET_KINDS, PiiKind
from domain.privacy.policy import BUILT_IN, Act, PrivacyPolicy, RouteDemand, Where
from entrypoints.config.sections import Section, Word

POLICIES_MAX: Final = 1000
_GROUPS: Final = {"SECRETS": SECRET_KINDS, "NATIONAL_IDS": NATIONAL_ID_KINDS}
_DOMAIN: Final = re.compile(r"@[A-Za-z0-9.-]{1,253}")

ActName = Annotated[
    Literal["off", "detect", "tokenise", "hash", "redact", "route", "block"],
    Word,
]
WhereName = Annotated[Literal["prompts", "tool_arguments", "tool_results", "answers"], Word]


def _kind(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _known(name: str) -> str:
    if name not in _GROUPS and name not in PiiKind.__members__:
        raise ValueError(f"is no kind; known: {', '.join((*_GROUPS, *PiiKind.__members__))}")
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


KindName = Annotated[str, BeforeValidator(_kind), AfterValidator(_known)]
PolicyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class PrivacyRouteSettings(Section):
    """Who may see what `route` lets through. Every key that is given has to be met."""

    residency: str = Field(default="", max_length=64, description="The region a target has to be in.")
    tags: tuple[str, ...] = Field(
        default=(), max_length=32, description="Tags a target has to have, all of them."
    )
    providers: tuple[str, ...] = Field(
        default=(), max_length=256, description="Providers it may be at, such as a model server of your own."
    )


class PrivacyPolicySettings(Section):
    """One policy. What is done about a kind: `off`, `detect` (counted), `tokenise` (a placeholder outside,
    the value again in its caller's answer), `hash` (a placeholder for good), `redact`, `route`, `block`."""

    default: ActName = Field(default="detect", description="About every kind that `kinds` does not name.")
    kinds: dict[KindName, ActName] = Field(
        default_factory=dict,
        description="About a kind, or about a group of them: `SECRETS`, `NATIONAL_IDS`. A kind goes before "
        "its group.",
    )
    where: tuple[WhereName, ...] = Field(
        default=tuple(where.value for where in Where),
        min_length=1,
        description="The places it holds in.",
    )
    allow: tuple[Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_pattern)], ...] = Field(
        default=(),
        max_length=1000,
        description="What is no personal data here: regular expressions that match the whole value, or "
        "`@example.com` for every address of a domain.",
    )
    route: PrivacyRouteSettings = PrivacyRouteSettings()

    @model_validator(mode="after")
    def _route_leads_somewhere(self) -> Self:
        routes = "route" in (self.default, *self.kinds.values())
        if routes and not self._demand().demands:
            raise ValueError("`route` needs a `route:` section that says which targets may see it")
        return self

    def policy(self, name: str) -> PrivacyPolicy:
        """As the domain wants it."""
        kinds = {
            kind: _act(act)
            for group in _GROUPS
            if group in self.kinds
            for kind in _GROUPS[group]
            for act in (self.kinds[group],)
        }
        kinds |= {PiiKind(kind): _act(act) for kind, act in self.kinds.items() if kind not in _GROUPS}
        return PrivacyPolicy(
            name=name,
            default=_act(self.default),
            kinds=kinds,
            where=frozenset(Where(where) for where in self.where),
            allow=tuple(_of_domain(each) if _DOMAIN.fullmatch(each) else each for each in self.allow),
            route=self._demand(),
        )

    def _demand(self) -> RouteDemand:
        return RouteDemand(
            residency=self.route.residency,
            tags=frozenset(self.route.tags),
            providers=frozenset(self.route.providers),
        )


class PrivacySettings(Section):
    """Policies by name. `off`, `detect`, `tokenise`, `hash`, `redact` and `block` are there already, and do
    that about every kind, everywhere."""

    default: str = Field(
        default="detect",
        description="The policy of requests whose route names none. A tenant's own can only add.",
    )
    policies: dict[PolicyName, PrivacyPolicySettings] = Field(
        default_factory=dict,
        max_length=POLICIES_MAX,
        description="What is done about which kinds of personal data, and where, by the name that routes "
        "and tenants give it.",
    )

    @field_validator("policies")
    @classmethod
    def _own_names(cls, policies: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(policies.keys() & BUILT_IN.keys()):
            raise ValueError(f"{', '.join(taken)}: built in, and cannot be another one")
        return policies

    @model_validator(mode="after")
    def _default_is_known(self) -> Self:
        if self.default not in self.policies and self.default not in BUILT_IN:
            raise ValueError(f"default: no policy {self.default!r}; known: {', '.join(self.names())}")
        return self

    def names(self) -> tuple[str, ...]:
        """Everything a route or a tenant may name."""
        return (*BUILT_IN, *self.policies)

    def made(self) -> Mapping[str, PrivacyPolicy]:
        """The file's own policies, as the domain wants them."""
        return {name: section.policy(name) for name, section in self.policies.items()}


def route_privacy(settings: PrivacySettings, own: str, route: str, problems: list[str]) -> str:
    """The policy a route names; empty: none. An unknown one is a problem, and nothing passes under it."""
    if own and own not in settings.names():
        problems.append(f"routes.{route}.privacy: no policy {own!r}; known: {', '.join(settings.names())}")
    return own


def _act(name: str) -> Act:
    return Act[name.upper()]


def _of_domain(text: str) -> str:
    return r"[^@\s]+@(?:[\w-]+\.)*" + re.escape(text[1:])
