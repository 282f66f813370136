"""Values of alerts in words: every number with its unit, and with the threshold that it is judged by."""

from typing import Final

from domain.sla.rules import DAY_S, AlertRule, Unit

NOTE_LENGTH_MAX: Final = 500
_HOUR_S: Final = 3600.0
_MINUTE_S: Final = 60.0
_LONG: Final = 2
"""Hours are told in hours and days in days from so many on."""


def percent(share: float | None) -> str:
    """For people."""
    return "?" if share is None else f"{share * 100:.3g} %"


def span(seconds: float) -> str:
    """A length of time in the unit people would take: `45 s`, `5 min`, `36 h`, `6.2 days`."""
    for unit_s, unit in ((DAY_S, "days"), (_HOUR_S, "h")):
        if abs(seconds) >= _LONG * unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    if abs(seconds) >= _MINUTE_S and seconds % _MINUTE_S == 0:
        return f"{seconds / _MINUTE_S:g} min"
    return f"{seconds:.3g} s" if abs(seconds) < _MINUTE_S else f"{seconds / _MINUTE_S:.3g} min"


def amount(unit: Unit, value: float) -> str:
    """A value or a threshold in its rule's unit."""
    if unit is Unit.RATIO:
        return percent(value)
    if unit is Unit.SECONDS:
        return span(value)
    # Of burn rates the value is a share of what each pair of windows allows.
    return f"{percent(value)} of the alarm rate" if unit is Unit.BURN_RATE else f"{value:g}"


def alarm(rule: AlertRule) -> str:
    """What it takes to fire: `alarm above 5 % for 5 min`, `alarm after 5 min` of what is so or is not."""
    lasting = f" for {span(rule.for_s)}" if rule.for_s else ""
    if rule.unit is Unit.COUNT and rule.threshold == 0 and rule.above:
        return f"alarm after {span(rule.for_s)}" if rule.for_s else "alarm at once"
    if rule.unit is Unit.BURN_RATE:  # what is too fast differs by window, and stands in what was seen
        return f"alarm after {span(rule.for_s)} of that" if rule.for_s else "alarm at once"
    side = "above" if rule.above else "below"
    return f"alarm {side} {amount(rule.unit, rule.threshold)}{lasting}"


def note_of(rule: AlertRule, seen: str) -> str:
    """One line for people: what was seen, and what it takes to fire; bounded, and never without the end."""
    end = f"; {alarm(rule)}"
    return f"{seen[: NOTE_LENGTH_MAX - len(end)]}{end}"
