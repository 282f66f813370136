"""What is configured, where each value comes from, and whether the last change was taken over."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from entrypoints.ui.page import Ask, Column, Field, Page, Shown, Stat, Table


async def view(ask: Ask) -> Shown:
    """The configuration in force; `all` adds what nobody configured."""
    every = ask.query.get("all") == "true"
    answer = await ask.api.get("/api/v1/config", defaults="true" if every else "")
    health = await ask.tried("/health")
    reload = answer["reload"]
    failed = reload["state"] == "failed"
    return Shown(
        template="settings.html",
        context={"filters": (Field("all", "Also what nobody configured", "flag"),)},
        stats=(
            Stat("Version", health.get("version"), "text"),
            Stat("Profile", health.get("profile"), "text"),
            Stat("File", reload["file"], "text", "none: environment only" if not reload["file"] else ""),
            Stat("Last reload", reload["state"].replace("_", " "), "text", state="bad" if failed else "good"),
            Stat("Reloads", reload["reloads"], note=f"{reload['failures']} failed"),
            Stat("Waits for a restart", ", ".join(reload["needs_restart"]) or "nothing", "text",
                 state="warn" if reload["needs_restart"] else ""),
        ),
        tables=(
            Table(
                name="settings",
                title="Settings",
                columns=(
                    Column("path", "Setting", "code"),
                    Column("value", "Value", "code"),
                    Column("from", "From"),
                    Column("taken", "A change counts", wide=True),
                ),
                rows=list(rows(answer)),
                empty="Nothing is configured: everything is as it comes. Write an interchange.yaml; "
                "interchange config check says what is wrong with it.",
            ),
        ),
        problems=[*health.get("warnings", []), *answer["warnings"], *reload["problems"]],
        read_only="Settings are changed in the configuration file or the environment; what can be changed "
        "here, such as budgets, keys and routes, has pages of its own.",
    )  # fmt: skip


def rows(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each value: where it comes from, and when a change of it counts."""
    given = dict(flat(answer["settings"]))
    fixed, flags = answer["restart_only"], answer["command_line"]
    for path, value in sorted((dict(flat(answer.get("defaults") or {})) | given).items()):
        yield {
            "path": path,
            "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            "from": _source(path, value, given, flags, answer["reload"]["file"]),
            "taken": "after a restart" if _below(path, fixed) else "at once",
        }


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their dotted paths; lists and empty objects are values."""
    for name, value in settings.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def _source(path: str, value: Any, given: Mapping[str, Any], flags: list[str], file: str | None) -> str:
    if path not in given:
        return "default"
    if _below(path, flags):
        return "command line or environment"
    if isinstance(value, str) and value.startswith("${"):
        return "environment" if not file else "file, by a variable"
    return "file" if file else "environment"


def _below(path: str, parents: list[str]) -> bool:
    return any(path == parent or path.startswith(f"{parent}.") for parent in parents)


PAGE: Final = Page(
    name="settings",
    title="Settings",
    group="Access",
    permission="config.read",
    view=view,
    about="What is configured, where each value comes from, and whether the last change was taken over.",
)
