"""Shadows of experiments on a page: how they are written in a form, and what their answers were like."""

from collections.abc import Mapping, Sequence
from typing import Any

from entrypoints.ui.page import Column, Table


def answers_table(arms: Sequence[Mapping[str, Any]]) -> tuple[Table, ...]:
    """How alike the answers of shadows are; nothing where there are none."""
    shadows = [arm for arm in arms if arm["shadow"]]
    if not shadows:
        return ()
    rows = [
        {
            "arm": arm["name"],
            "compared": seen.get("compared", 0),
            "common": seen.get("words_in_common"),
            "same": seen.get("same_words_share"),
            "length": seen.get("length_ratio"),
            "turns": seen.get("same_turn_share"),
            "findings": findings_text(seen.get("findings", {})),
        }
        for arm in shadows
        for seen in [arm["answers"] or {}]
    ]
    table = Table(
        name="answers",
        title="Answers of shadows beside control's",
        columns=(
            Column("arm", "Shadow"),
            Column("compared", "Compared", "number"),
            Column("common", "Words in common", "share"),
            Column("same", "The same words", "share"),
            Column("length", "Length of control's", "share"),
            Column("turns", "Both or neither call tools", "share", wide=True),
            Column("findings", "Found in them (in control's)", "long"),
        ),
        rows=rows,
        empty="There are no shadows.",
    )
    return (table,)


def findings_text(findings: Mapping[str, Mapping[str, int]]) -> str:
    """`refusal 3 (1), truncated 2 (0)`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {each['shadow']:,} ({each['control']:,})"
        for name, each in findings.items()
        if each["shadow"] or each["control"]
    )


def shadow_of(line: str) -> dict[str, Any]:
    """`name = route` or `name = route * share`, and behind it `$ a day` where that is said."""
    said, _, dollars = line.partition("$")
    name, _, rest = said.partition("=")
    route, _, share = rest.rpartition("*")
    found: dict[str, Any] = {"name": name.strip(), "route": rest.strip(), "shadow": True}
    try:
        if route:
            found |= {"route": route.strip(), "share": float(share)}
        if dollars:
            found["usd_per_day"] = float(dollars)
    except ValueError:
        found["route"] = line.partition("=")[2].strip()
    return found
