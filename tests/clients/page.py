"""docs/compatibility.md out of a run's results, and of nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.clients.families import FAMILIES
from tests.clients.pins import Pinned, label

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
_FAMILY_NAMES = {"openai": "OpenAI-shaped", "anthropic": "Anthropic-shaped", "gemini": "Gemini-shaped"}
_MARKS = {"pass": "pass", "fail": "**fail**", "n/a": "n/a"}

_HEAD = """\
# Clients that work unchanged

<!-- Written by `make clients` from its own run. Do not edit: the next run overwrites it. -->

Real clients, installed from their registries at the versions below, ran against `interchange serve`.
No client was changed: base URL, key and model were set, and for the runs repeats, telemetry and update checks
were switched off (in Codex web search as well), time limits shortened, and `pydantic-ai` was told in profiles
what models of unknown names can do.
Each scenario ran once per family of upstream, as which the simulated provider stood in.
Where the client's own protocol is another one than the upstream's, Interchange translated.
No live vendor was called: what vendors do beyond their documented shapes is not proven here.

Tool calls are spelled out in the prompts, for the simulated provider does not think.
Over-long prompts are recognised by Interchange's own count here, before a provider is asked.

- **pass**: what the scenario expects of the client's results held, and where it looks at what the provider
  got, that as well; a scenario is a few calls, not all a client can do.
- **n/a**: does not apply; the notes below the table say why.

`make clients` repeats the run and rewrites this page (`CLIENTS="codex openai_sdk" make clients` runs some and
leaves the page alone).

## Summary

| client | version | passed | failed | does not apply |
|---|---|---|---|---|
"""


class Result(NamedTuple):
    """One scenario of one client at one family; `outcome` is `pass`, `fail` or `n/a`."""

    scenario: str
    family: str
    outcome: str
    why: str = ""


class Run(NamedTuple):
    """One client's results; `asked` are the requests a command line makes by itself, with their queries."""

    client: Pinned
    results: Sequence[Result]
    asked: Sequence[str] = ()


def rendered(runs: Sequence[Run], versions: Mapping[str, str]) -> str:
    """The whole page."""
    known = dict(versions)
    summary, sections = [], []
    for client, seen, asked in runs:
        counts = [sum(one.outcome == outcome for one in seen) for outcome in _MARKS]
        shown = " | ".join(map(str, counts))
        summary.append(f"| [{client.title}](#{_anchor(client.title)}) | {label(client, known)} | {shown} |")
        told = f"## {client.title}\n\n{label(client, known)} from {client.registry}\n\n"
        if asked:
            told += (
                "All it asked of Interchange in this run: "
                + ", ".join(f"`{line}`" for line in asked)
                + ".\n\n"
            )
        sections.append(told + _table(seen))
    return _HEAD + "\n".join(summary) + "\n\n" + "\n".join(sections)


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _table(seen: Sequence[Result]) -> str:
    lines = [
        "| scenario | " + " | ".join(_FAMILY_NAMES[family] for family in FAMILIES) + " |",
        "|---|" + "---|" * len(FAMILIES),
    ]
    notes: dict[str, int] = {}
    cells: dict[str, dict[str, str]] = {}
    for one in seen:
        cell = _MARKS[one.outcome]
        if one.why:
            number = notes.setdefault(" ".join(one.why.split()), len(notes) + 1)
            cell += f" ({number})"
        cells.setdefault(one.scenario, {})[one.family] = cell
    for scenario, by_family in cells.items():
        shown = " | ".join(by_family.get(family, "not run") for family in FAMILIES)
        lines.append(f"| {scenario} | {shown} |")
    text = "\n".join(lines) + "\n"
    if notes:
        text += "\n" + "\n".join(f"{number}. {why}" for why, number in notes.items()) + "\n"
    return text
