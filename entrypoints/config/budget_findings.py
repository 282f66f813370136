"""What is wrong or odd about budgets that are well written, each told at the key that says it."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from domain.budgets.budget import Budget
from domain.budgets.scope import Dimension
from domain.budgets.terms import names_one, twin_of
from domain.errors import InvalidRequest
from domain.tenancy.key import is_key_id
from entrypoints.config.problems import ConfigPath, Finding
from entrypoints.config.root import Settings

AUTO_ROUTE: Final = "auto"
"""A route that is there without being declared."""


def budget_findings(settings: Settings) -> Iterator[Finding]:
    """Errors, and budgets that change nothing because another one counts the same."""
    made: list[Budget] = []
    places: dict[str, int] = {}
    for index, section in enumerate(settings.budgets):
        path: ConfigPath = ("budgets", index)
        first = places.setdefault(section.name, index)
        if first != index:
            yield Finding(
                (*path, "name"),
                f"budget names must differ; given more than once: {section.name} (first by budgets[{first}])",
                fatal=True,
            )
            continue
        try:
            budget = section.budget(settings.budget_alert_threshold)
        except InvalidRequest as error:
            yield Finding((*path, *(error.param or "").split(".")), error.message, fatal=True)
            continue
        yield from _references(settings, budget, path)
        twin = twin_of(budget, made)
        if twin is not None:
            yield Finding(
                path, f"budget {budget.name!r} counts the same as {twin.name!r}; the smaller limit decides"
            )
        made.append(budget)


def _references(settings: Settings, budget: Budget, path: ConfigPath) -> Iterator[Finding]:
    key = names_one(budget.scope, Dimension.KEY)
    if key is not None and not is_key_id(key):
        yield Finding(
            (*path, "scope", "key"),
            "must be a key's id, 12 letters and digits as `interchange keys list` shows them, or * for each",
            fatal=True,
        )
    route = budget.switch.route if budget.switch is not None else AUTO_ROUTE
    if route != AUTO_ROUTE and route not in settings.routes:
        near = get_close_matches(route, list(settings.routes), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        text = f"no route {route!r} is declared under `routes`{hint}"
        yield Finding((*path, "on_threshold", "route"), text, fatal=True)
