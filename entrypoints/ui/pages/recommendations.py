"""What would cost less or go better: the advice, what it rests on, and what becomes of it."""

import json
from collections.abc import Iterator
from typing import Any, Final

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages.choices import chosen
from entrypoints.ui.rendering import shown

PATH: Final = "/api/v1/analytics/recommendations"
STATUSES: Final = ("open", "accepted", "dismissed", "done", "expired")
KINDS: Final = (
    "move", "cache", "prompt_caching", "batch", "commitment", "reserved_capacity", "raise_max_tokens",
    "lower_max_tokens", "unreliable_provider", "loose_budget", "tight_budget", "outlier",
    "unused_route", "unused_integration",
)  # fmt: skip
CARDS_MAX: Final = 100
Fact = tuple[str, Any, str]
_TITLES: Final = {
    "from_us": "looked at from",
    "to_us": "looked at until",
    "from": "from model",
    "to": "to model",
    "in_route": "a target of the route",
}
_OFFERED: Final = {
    "open": ("accept", "dismiss"),
    "accepted": ("dismiss", "reopen"),
    "dismissed": ("accept", "reopen"),
}


async def view(ask: Ask) -> Shown:
    """Those of one status, what saves most first."""
    status = chosen(ask, "status", (*STATUSES, "any"), "open")
    kind = chosen(ask, "kind", KINDS, "")
    answer = await ask.api.get(PATH, status=None if status == "any" else status, kind=kind)
    found = answer["recommendations"]
    savings = [one["estimated_saving"] for one in found if one["estimated_saving"] is not None]
    return Shown(
        context={
            "filters": FILTERS,
            "chosen": {"status": status, "kind": kind},
            "cards": [card(one) for one in found[:CARDS_MAX]],
            "row_acts": ("accept", "dismiss", "reopen"),
        },
        stats=(
            Stat("Shown", len(found), "number", f"{status}" if status != "any" else ""),
            Stat(
                "They would save a month",
                sum(each["expected_nano_usd"] for each in savings) / 1e9 if savings else None,
                "usd",
                "if each stood alone: some concern the same requests" if len(savings) > 1 else "",
            ),
        ),
        tables=(table(found, status),),
    )


def card(one: dict[str, Any]) -> dict[str, Any]:
    """One of them with what it rests on."""
    saving = one["estimated_saving"]
    return {
        **one,
        "saves": saving is not None,
        "evidence": evidence(one["evidence"]),
        "assumed": one["evidence"].get("assumed") or [],
        "offered": _OFFERED.get(one["status"], ()),
        "hidden": {"sentence": one["sentence"], "optimization_id": one["optimization_id"]},
    }


def evidence(said: dict[str, Any]) -> list[tuple[str, list[Fact]]]:
    """What it rests on, in groups: title, value and how it is shown; what has no parts comes first."""
    plain: list[Fact] = []
    groups: list[tuple[str, list[Fact]]] = [("", plain)]
    for name, value in said.items():
        if name == "assumed":
            continue
        if isinstance(value, dict) and "expected_usd" in value:
            interval = f"{shown(value['low_usd'], 'usd')} to {shown(value['high_usd'], 'usd')}"
            plain.append((title_of(name), f"{shown(value['expected_usd'], 'usd')} ({interval})", "text"))
        elif isinstance(value, dict):
            groups.append((title_of(name), list(flat(value))))
        else:
            plain.append(fact(name, value))
    return [(title, facts) for title, facts in groups if facts]


def flat(value: dict[str, Any], before: str = "") -> Iterator[Fact]:
    """Values of an object and of those in it, each with the whole way to it."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from flat(each, f"{before}{title_of(name)}, ")
        else:
            title, given, kind = fact(name, each)
            yield f"{before}{title}", given, kind


def title_of(name: str) -> str:
    """A name of evidence for people."""
    known = _TITLES.get(name)
    if known is not None:
        return known
    plain = name.replace("_nano_usd", "").removesuffix("_us").removesuffix("_usd")
    return plain.replace("_per_mtok", " per million tokens").replace("_", " ")


def fact(name: str, value: Any) -> Fact:
    """A value of evidence with how it is shown, by its name."""
    title = title_of(name)
    if isinstance(value, bool) or value is None:
        return title, value, "text"
    if isinstance(value, list):
        return title, value if all(isinstance(each, str) for each in value) else json.dumps(value), "list"
    if not isinstance(value, (int, float)):
        return title, value, "usd" if name.endswith("_usd") else "text"
    if "nano_usd" in name:
        return title, value / 1e9, "usd"
    if name in ("from_us", "to_us"):
        return title, value, "when"
    return title, value, "share" if name.endswith(("share", "ratio", "discount")) else "number"


def table(found: list[dict[str, Any]], status: str) -> Table:
    """The same as rows."""
    return Table(
        name="recommendations",
        title="As a table" if found else "Advice",
        columns=(
            Column("kind", "Kind"),
            Column("sentence", "What to do", "long"),
            Column("estimated_saving.expected_usd", "Saves a month", "usd"),
            Column("estimated_saving.low_usd", "At least", "usd", wide=True),
            Column("estimated_saving.high_usd", "At most", "usd", wide=True),
            Column("status", "Status"),
            Column("seen_at", "Last found", "when", wide=True),
            Column("decided_at", "Decided", "when", wide=True),
            Column("optimization_id", "Id", "code", wide=True),
        ),
        rows=found,
        empty="There is nothing to advise. Use is looked at once a day, and when somebody looks now; a move "
        "needs at least 20 requests with a price, and another model that can do the same."
        if status == "open"
        else "None has this status.",
    )


def _decide(name: str, title: str, status: str, done: str) -> Act:
    return Act(
        name=name,
        title=title,
        method="PUT",
        path=f"{PATH}/{{optimization_id}}",
        permission="recommendations.write",
        fields=(
            Field("optimization_id", "Id", "path", required=True),
            Field("status", "Status", "hidden", default=status),
        ),
        done=done,
    )


FILTERS: Final = (
    Field("status", "Status", "choice", required=True, choices=(*STATUSES, "any"), default="open"),
    Field("kind", "Kind", "choice", choices=KINDS),
)
PAGE: Final = Page(
    name="recommendations",
    title="Recommendations",
    group="Money",
    permission="usage.read",
    view=view,
    about="What would cost less or go better, and what that rests on. Nothing changes by itself.",
    template="recommendations.html",
    acts=(
        Act(
            name="refresh",
            title="Look now",
            method="POST",
            path=f"{PATH}/refresh",
            permission="recommendations.write",
            done="The use of the last 30 days was looked at.",
        ),
        _decide("accept", "Accept", "accepted", "Accepted. It is done when its reason is gone."),
        _decide("dismiss", "Dismiss", "dismissed", "Dismissed. It is not shown as open again."),
        _decide("reopen", "Open again", "open", "It is open again."),
    ),
)
