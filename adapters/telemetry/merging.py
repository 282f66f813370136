"""What several workers counted, as one: every metric by the rule the published list gives it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from adapters.telemetry.folded import Sampled
from adapters.telemetry.series import Family, Labels, Value
from application.ports.telemetry import Metric

UNLISTED: Final = Metric("", "gauge", "", (), "", "max")
"""How a gauge is merged that the list does not have; counters are always added up."""


class Snapshot(msgspec.Struct):
    """What one worker has counted and measured. `at_s` is monotonic, of this machine."""

    at_s: float
    families: list[Family]
    window: Sampled
    includes: list[str] = []
    """Of what workers that ended left: whose counts are in it, the newest last."""


def kept_of(families: Iterable[Family], listed: Mapping[str, Metric]) -> list[Family]:
    """What still counts of a worker that ended."""
    return [family for family in families if family.kind != "gauge" or listed.get(family.name, UNLISTED).kept]


def merged(snapshots: Sequence[Iterable[Family]], listed: Mapping[str, Metric]) -> list[Family]:
    """One family per name, in the order of their first appearance. A family that differs in labels or bounds
    from the first of its name, as after an upgrade of one worker, is left out."""
    first: dict[str, Family] = {}
    values: dict[str, dict[Labels, list[Value]]] = {}
    for families in snapshots:
        for family in families:
            known = first.setdefault(family.name, family)
            if (known.labels, known.bounds, known.scale) != (family.labels, family.bounds, family.scale):
                continue
            samples = values.setdefault(family.name, {})
            for key, value in family.samples.items():
                samples.setdefault(key, []).append(value)
    return [
        msgspec.structs.replace(
            family,
            samples={key: _one(family, each, listed) for key, each in values[name].items()},
        )
        for name, family in first.items()
    ]


def described(families: Iterable[Family], listed: Mapping[str, Metric]) -> list[Family]:
    """In the list's order and words; what is not listed comes last, as it is."""
    by_name = {family.name: family for family in families}
    ordered = [by_name.pop(name) for name in listed if name in by_name]
    return [msgspec.structs.replace(family, text=listed[family.name].meaning) for family in ordered] + list(
        by_name.values()
    )


def _one(family: Family, values: list[Value], listed: Mapping[str, Metric]) -> Value:
    if len(values) == 1:
        return values[0]
    if family.kind == "histogram":
        counts = [value for value in values if isinstance(value, list)]
        return [sum(column) for column in zip(*counts, strict=True)]
    numbers = [value for value in values if not isinstance(value, list)]
    rule = "sum" if family.kind == "counter" else listed.get(family.name, UNLISTED).across
    if rule == "max":
        return max(numbers)
    if rule == "min":
        return min(numbers)
    total = sum(numbers)
    return total / len(numbers) if rule == "mean" else total
