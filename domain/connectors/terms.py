"""What every integration may say about its calls: price, how many at once, when to stop asking."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from domain.connectors.tool import TIMEOUT_S, TIMEOUT_S_MAX
from domain.errors import InvalidConfiguration
from domain.money import NANO_PER_USD, InvalidAmount, NanoUsd, parse_usd
from domain.resilience.breaker import BreakerPolicy

AT_ONCE: Final = 32
AT_ONCE_MAX: Final = 1000
WAITING: Final = 128
WAITING_MAX: Final = 10_000
COST_NANO_USD_MAX: Final = 1000 * NANO_PER_USD
_NOTHING: Final = NanoUsd(0)
CACHE_TTL_S_MAX: Final = 7 * 86_400.0
NAMES_MAX: Final = 50

COMMON_KEYS: Final = frozenset(
    {"region", "cost_usd_per_call", "cache_ttl_s", "max_concurrency", "max_waiting", "timeout_s"}
    | {"privacy", "guardrails", "circuit_breaker", "disabled_tools", "trace_context"}
)
"""Keys of `configuration` that are read here; a connector never sees them."""
_BREAKER_KEYS: Final = {
    "failure_threshold": "consecutive_failures",
    "failure_rate": "failure_rate",
    "minimum_calls": "minimum_calls",
    "window_s": "window_s",
    "recovery_timeout_s": "open_s",
    "recovery_timeout_s_max": "open_s_max",
    "half_open_max_calls": "half_open_probes",
    "slow_call_s": "slow_call_s",
    "slow_rate": "slow_rate",
}
_COUNTS: Final = frozenset({"failure_threshold", "minimum_calls", "half_open_max_calls"})


class TraceTold(Enum):
    """What an integration is told of the trace a call belongs to, where it speaks HTTP."""

    OFF = "off"
    IDS = "ids"
    """`traceparent`: the ids of the trace and of this call, and whether it is recorded."""
    FULL = "full"
    """The caller's `tracestate`, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationTerms:
    """`cost_nano_usd` is of one call. `cache_ttl_s` holds for read-only tools that say nothing of their own;
    None: they are not cached. `timeout_s` is the longest any call may take."""

    cost_nano_usd: NanoUsd = _NOTHING
    cache_ttl_s: float | None = None
    at_once: int = AT_ONCE
    waiting: int = WAITING
    timeout_s: float = TIMEOUT_S_MAX
    region: str | None = None
    privacy: str = ""
    guardrails: tuple[str, ...] = ()
    disabled_tools: frozenset[str] = frozenset()
    trace_told: TraceTold = TraceTold.IDS
    breaker: BreakerPolicy = BreakerPolicy()  # noqa: RUF009 - an immutable value


def own_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What is left for the connector."""
    return {key: value for key, value in configuration.items() if key not in COMMON_KEYS}


def integration_terms(
    configuration: Mapping[str, Any], circuit_breaker: Mapping[str, Any] | None = None
) -> IntegrationTerms:
    """Reads the common keys; `circuit_breaker` is the one beside the configuration, which wins.

    Raises InvalidConfiguration.
    """
    inside = configuration.get("circuit_breaker") or {}
    return IntegrationTerms(
        cost_nano_usd=cost_of(configuration.get("cost_usd_per_call", 0), "cost_usd_per_call"),
        cache_ttl_s=_seconds(configuration, "cache_ttl_s", None, CACHE_TTL_S_MAX),
        at_once=_count(configuration, "max_concurrency", AT_ONCE, 1, AT_ONCE_MAX),
        waiting=_count(configuration, "max_waiting", WAITING, 0, WAITING_MAX),
        timeout_s=_seconds(configuration, "timeout_s", float(TIMEOUT_S_MAX), TIMEOUT_S_MAX) or TIMEOUT_S,
        region=_text(configuration, "region") or None,
        privacy=_text(configuration, "privacy"),
        guardrails=tuple(_names(configuration, "guardrails")),
        disabled_tools=frozenset(_names(configuration, "disabled_tools")),
        trace_told=_trace_told(configuration.get("trace_context", TraceTold.IDS.value)),
        breaker=breaker_policy({**_mapping(inside, "circuit_breaker"), **(circuit_breaker or {})}),
    )


def breaker_policy(said: Mapping[str, Any]) -> BreakerPolicy:
    """`circuit_breaker` as the breaker's policy. Raises InvalidConfiguration."""
    values: dict[str, Any] = {}
    for key, value in said.items():
        param = f"circuit_breaker.{key}"
        field = _BREAKER_KEYS.get(key)
        if field is None:
            raise InvalidConfiguration(
                f"{param} is unknown; allowed: {', '.join(sorted(_BREAKER_KEYS))}", param=param
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidConfiguration(f"{param} must be a number", param=param)
        if key in _COUNTS and value != int(value):
            raise InvalidConfiguration(f"{param} must be a whole number", param=param)
        values[field] = int(value) if key in _COUNTS else float(value)
    if "open_s" in values and "open_s_max" not in values:
        values["open_s_max"] = max(values["open_s"] * 4, values["open_s"])
    try:
        return BreakerPolicy(**values)
    except ValueError as error:
        raise InvalidConfiguration(f"circuit_breaker: {error}", param="circuit_breaker") from None


def cost_of(value: Any, param: str) -> NanoUsd:
    """Dollars as a number or its text, exactly. Raises InvalidConfiguration."""
    try:
        cost = None if isinstance(value, bool) else parse_usd(value)
    except InvalidAmount:
        cost = None
    if cost is None or not 0 <= cost <= COST_NANO_USD_MAX:
        raise InvalidConfiguration(f"{param} must be 0 to 1000 US dollars", param=param)
    return cost


def _seconds(said: Mapping[str, Any], key: str, default: float | None, longest: float) -> float | None:
    value = said.get(key, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= longest:
        raise InvalidConfiguration(f"{key} must be above 0 and at most {longest:g} seconds", param=key)
    return float(value)


def _count(said: Mapping[str, Any], key: str, default: int, least: int, most: int) -> int:
    value = said.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidConfiguration(f"{key} must be a whole number from {least} to {most}", param=key)
    return value


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str) or len(value) > 200:
        raise InvalidConfiguration(f"{key} must be a name", param=key)
    return value


def _trace_told(value: Any) -> TraceTold:
    """YAML reads `off` as false."""
    try:
        return TraceTold("off" if value is False else value)
    except ValueError:
        allowed = ", ".join(each.value for each in TraceTold)
        raise InvalidConfiguration(f"trace_context must be one of {allowed}", param="trace_context") from None


def _names(said: Mapping[str, Any], key: str) -> list[str]:
    value = said.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise InvalidConfiguration(f"{key} must be a list of names", param=key)
    if len(value) > NAMES_MAX:
        raise InvalidConfiguration(f"{key} may list at most {NAMES_MAX} names", param=key)
    return list(value)


def _mapping(value: Any, param: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidConfiguration(f"{param} must be an object", param=param)
    return value
