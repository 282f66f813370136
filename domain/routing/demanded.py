"""What a caller demanded, in one line for records: names with units, values as they were understood."""

from collections.abc import Iterable
from typing import Final

from domain.llm.capabilities import NO_CAPABILITY, capability_names
from domain.routing.requirements import Requirements

VALUE_CHARS_MAX: Final = 80
LINE_CHARS_MAX: Final = 1_000


def demanded(requirements: Requirements) -> str:
    """`name=value`, comma separated, several values of one name joined by `+`; empty: nothing.

    Read before a key's, a tenant's or a policy's demands are added: these are not the caller's.
    """
    if requirements.modest and requirements.capabilities is NO_CAPABILITY and requirements.affinity:
        return ""
    said = {
        "capabilities": _joined(capability_names(int(requirements.capabilities))),
        "max_cost_nano_usd": requirements.max_cost_nano_usd,
        "max_cost_nano_usd_per_mtok": requirements.max_cost_nano_usd_per_mtok,
        "max_latency_ms": requirements.max_latency_ms,
        "quality_floor": requirements.quality_floor,
        "residency": _plain(requirements.residency or ""),
        "compliance": _joined(sorted(requirements.compliance)),
        "tags": _joined(sorted(requirements.tags)),
        "strategy": _plain(requirements.strategy or ""),
        "affinity": "" if requirements.affinity else "off",
    }
    line = ",".join(f"{name}={value}" for name, value in said.items() if value not in (None, ""))
    return line[:LINE_CHARS_MAX]


def _joined(names: Iterable[str]) -> str:
    return "+".join(_plain(name) for name in names)


def _plain(text: str) -> str:
    """Callers write some of it themselves, and it must stay one value."""
    return text.replace(",", " ").replace("=", " ").replace("+", " ")[:VALUE_CHARS_MAX]
