"""How a batch is doing, for people as a bar on stderr, for programs as JSON lines on stdout."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import click


class Progress(Protocol):
    """What the command tells while it watches."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """A sentence that stays."""
        ...

    def show(self, batch: Any) -> None:
        """The batch as it is now."""
        ...

    def away(self) -> None:
        """The server does not answer at the moment."""
        ...

    def end(self, batch: Any, files: dict[str, Path]) -> None:
        """The batch is over and its files are here."""
        ...


class JsonProgress(Progress):
    """One object per change, then one summary."""

    def __init__(self) -> None:
        self._shown: dict[str, Any] | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def show(self, batch: Any) -> None:
        found = {"event": "progress", **_figures(batch)}
        if found != self._shown:
            self._shown = found
            click.echo(json.dumps({**found, "elapsed_s": round(time.monotonic() - self._began, 1)}))

    def away(self) -> None:
        found = {"event": "away"}
        if found != self._shown:
            self._shown = found
            click.echo(json.dumps(found))

    def end(self, batch: Any, files: dict[str, Path]) -> None:
        problems = (batch["errors"] or {}).get("data", [])
        summary = {
            "event": "summary",
            **_figures(batch),
            "stopped_by": batch["interchange"]["stopped_by"],
            "uncosted_tries": batch["interchange"]["uncosted_tries"],
            "unresolved_tries": batch["interchange"]["unresolved_tries"],
            "output": str(files["output_file_id"]) if "output_file_id" in files else None,
            "errors": str(files["error_file_id"]) if "error_file_id" in files else None,
            "problems": problems,
        }
        click.echo(json.dumps(summary))


def _figures(batch: Any) -> dict[str, Any]:
    counts = batch["request_counts"]
    return {
        "batch_id": batch["id"],
        "status": batch["status"],
        "total": counts["total"],
        "completed": counts["completed"],
        "failed": counts["failed"],
        "cost_usd": batch["interchange"]["cost_usd"],
        **({"waiting_for": budget} if (budget := batch["interchange"].get("waiting_for")) else {}),
    }


def _doing(figures: dict[str, Any]) -> str:
    budget = figures.get("waiting_for")
    return f"waiting for budget {budget}" if budget else str(figures["status"])


class _BarProgress(Progress):
    """A bar with lines done, failed, cost, rate and time left."""

    def __init__(self, bar: Any, console: Any) -> None:
        self._bar = bar
        self._console = console
        self._task = bar.add_task("waiting", total=None, failed=0, cost="0")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def show(self, batch: Any) -> None:
        figures = _figures(batch)
        done = figures["completed"] + figures["failed"]
        self._bar.update(
            self._task,
            description=_doing(figures),
            total=figures["total"] or None,
            completed=done,
            failed=figures["failed"],
            cost=figures["cost_usd"],
        )

    def away(self) -> None:
        self._bar.update(self._task, description="server away, waiting")

    def end(self, batch: Any, files: dict[str, Path]) -> None:
        figures = _figures(batch)
        for problem in (batch["errors"] or {}).get("data", [])[:20]:
            where = f"line {problem['line']}: " if problem["line"] else ""
            self.say(f"{where}{problem['message']} ({problem['code']})")
        unresolved = batch["interchange"]["unresolved_tries"]
        if unresolved:
            self.say(f"{unresolved} tries may have been billed though nobody knows whether they were.")
        self.say(
            f"{figures['batch_id']} {figures['status']}: {figures['completed']} of {figures['total']} lines "
            f"answered, {figures['failed']} not, ${figures['cost_usd']}"
        )
        for path in files.values():
            self.say(f"wrote {path}")


def bar_progress() -> Progress:
    """A bar where there is a terminal, single sentences elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class _Rate(ProgressColumn):
        """Lines per second, of late."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    console = Console(stderr=True)
    bar = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("failed {task.fields[failed]}  ${task.fields[cost]}"),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    return _BarProgress(bar, console)
