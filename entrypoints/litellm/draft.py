"""The configuration that is being composed, and plain readings of LiteLLM's values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from entrypoints.config.problems import ConfigPath
from entrypoints.litellm.report import escaped

RETRIES_MAX: Final = 10
SECONDS_MAX: Final = 86_400
_PERIODS: Final = {
    "1h": "hour", "60m": "hour", "1d": "day", "24h": "day", "7d": "week", "1w": "week", "30d": "month",
    "31d": "month", "1mo": "month", "90d": "quarter", "365d": "year", "1y": "year",
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Draft:
    """Sections in our file's shape. `groups` are targets by `model_name`, `places` where that stands."""

    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    places: dict[str, ConfigPath] = field(default_factory=dict)
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    def set(self, section: str, key: str, value: Any) -> None:
        self.sections.setdefault(section, {})[key] = value

    def add_budget(self, name: str, scope: Mapping[str, str], period: str, limit_usd: Decimal) -> str:
        """Its name, made different from those there are."""
        taken = {budget["name"] for budget in self.budgets}
        unique, number = name[:120], 1
        while unique in taken:
            number += 1
            unique = f"{name[:116]}-{number}"
        self.budgets.append(
            {
                "name": unique,
                "scope": dict(scope),
                "period": period,
                "limit_usd": format(limit_usd, "f"),
                "hard": True,
            }
        )
        return unique

    def document(self) -> dict[str, Any]:
        """What is written: only sections that say something."""
        whole: dict[str, Any] = {
            **self.sections,
            "providers": self.providers,
            "routes": self.routes,
            "budgets": self.budgets,
        }
        return {name: escaped(section) for name, section in whole.items() if section}


def number(value: Any) -> Decimal | None:
    """A finite number from a YAML scalar; None: it is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def whole(value: Any) -> int | None:
    """A whole number above zero; None: it is none."""
    read = number(value)
    return int(read) if read is not None and read >= 1 and read == int(read) else None


def seconds(value: Any) -> float | None:
    """Seconds within our bounds; None: not a number above zero."""
    read = number(value)
    return None if read is None or read <= 0 else float(min(read, Decimal(SECONDS_MAX)))


def truth(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "yes", "on", "1"))


def period_of(duration: Any) -> str | None:
    """Our period for a `budget_duration`; without one a budget is for good. None: there is no such period."""
    if duration is None:
        return "total"
    return _PERIODS.get(str(duration).strip().lower())
