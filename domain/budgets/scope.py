"""Whose spending a budget counts: a few dimensions, each with one value or with every value for itself."""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from domain.errors import InvalidRequest

EACH: Final = "*"
"""In place of a value: every value has a budget of its own, such as each agent of a tenant."""
VALUE_LENGTH_MAX: Final = 256


class Dimension(Enum):
    """What spending can be told apart by. The order is the order in which subjects are written."""

    TENANT = "tenant"
    TEAM = "team"
    PROJECT = "project"
    KEY = "key"
    USER = "user"
    AGENT = "agent"
    SESSION = "session"
    WORKFLOW = "workflow"
    MODEL = "model"
    PROVIDER = "provider"
    ROUTE = "route"
    ORGANISATION = "organisation"


class Spender(NamedTuple):
    """On whose behalf, and with whom, an attempt spends. Empty: not said; it then concerns no budget of that
    dimension."""

    tenant: str
    team: str = ""
    project: str = ""
    key: str = ""
    user: str = ""
    agent: str = ""
    session: str = ""
    workflow: str = ""
    model: str = ""
    provider: str = ""
    route: str = ""
    organisation: str = ""

    def value(self, dimension: Dimension) -> str:
        """What is said of one dimension."""
        return str(getattr(self, dimension.value))


OF_TARGET: Final = frozenset({Dimension.MODEL, Dimension.PROVIDER})
"""Known only once a target was chosen."""
OF_MONEY: Final = tuple(each for each in Dimension if each not in (Dimension.ROUTE, Dimension.ORGANISATION))
"""What spending is told apart by; rate limits are asked before a target is chosen and know others."""


class Scope(NamedTuple):
    """Dimensions in the order of `Dimension`, each with a value or `EACH`. All of them must hold."""

    parts: tuple[tuple[Dimension, str], ...]

    def subject(self, spender: Spender) -> str | None:
        """Which of the scope's budgets the spender uses: `agent=planner` for `agent: "*"`, empty where the
        scope names every value; None when it is none of the scope's business. `%` and `&` in values are
        percent-encoded."""
        each: list[str] = []
        for dimension, wanted in self.parts:
            value = spender.value(dimension)
            if not value:
                return None
            if wanted == EACH:
                each.append(f"{dimension.value}={_escaped(value)}")
            elif value != wanted and not _is_model(dimension, wanted, spender):
                return None
        return "&".join(each)

    @property
    def tenant(self) -> str | None:
        """The one tenant it concerns; None: each, or all together."""
        for dimension, value in self.parts:
            if dimension is Dimension.TENANT and value != EACH:
                return value
        return None

    def describe(self) -> str:
        """For people: `tenant=default, agent=*`."""
        return ", ".join(f"{dimension.value}={value}" for dimension, value in self.parts)


def _escaped(value: str) -> str:
    # Callers make values up; none may read like two.
    return value.replace("%", "%25").replace("&", "%26") if "&" in value or "%" in value else value


def _is_model(dimension: Dimension, wanted: str, spender: Spender) -> bool:
    # A model may also be named with its provider, as targets are.
    return dimension is Dimension.MODEL and wanted == f"{spender.provider}/{spender.model}"


def make_scope(
    values: dict[str, str], *, dimensions: Sequence[Dimension] = tuple(Dimension), of: str = "a budget"
) -> Scope:
    """A scope from names of dimensions and values; `of` is what the scope belongs to, for people.

    Raises:
        InvalidRequest: no dimension, one that does not exist, or a value that could not be one (`scope`).
    """
    if not values:
        raise InvalidRequest(f"{of} needs at least one dimension to count by", param="scope")
    known = {dimension.value: dimension for dimension in dimensions}
    for name, value in values.items():
        if name not in known:
            raise InvalidRequest(f"no dimension {name[:40]!r}; allowed: {', '.join(known)}", param="scope")
        if not value or len(value) > VALUE_LENGTH_MAX or not value.isprintable():
            raise InvalidRequest(
                f"{name} must be a value of 1 to {VALUE_LENGTH_MAX} printable characters, or * for each",
                param=f"scope.{name}",
            )
    order = list(Dimension)
    parts = sorted(((known[name], value) for name, value in values.items()), key=lambda p: order.index(p[0]))
    return Scope(tuple(parts))
