"""What `interchange serve` prints: what runs, what is simulated, where the key is, and a call that works."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from entrypoints.config.environment import CONFIG_VARIABLE
from entrypoints.config.loading import LoadedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What came up. `simulator_url` is None when nothing is simulated."""

    url: str
    version: str
    simulator_url: str | None
    gateway: str
    providers: tuple[str, ...] = ()


def start_page(loaded: LoadedSettings, running: Running) -> str:
    """A few lines, and a command to copy."""
    settings = loaded.settings
    workers = settings.server.workers
    rows = [
        ("pages", f"{running.url}/ui (log in with the key below)"),
        ("providers", _providers(loaded, running)),
        ("portkey", running.gateway),
        ("data", readable(settings.data_dir)),
        ("key", f"{readable(settings.key_file)} (owner of tenant `default`)"),
        ("config", _config(loaded)),
    ]
    lines = [
        "",
        f"Interchange {running.version} at {running.url} "
        f"({settings.profile}, {workers} worker{'s' if workers > 1 else ''})",
        "",
        *(f"  {name:<10} {text}" for name, text in rows),
        "",
        "Try it:",
        f"  curl {running.url}/v1/chat/completions \\",
        f'    -H "Authorization: Bearer $(cat {readable(settings.key_file)})" \\',
        '    -H "Content-Type: application/json" \\',
        f"    -d '{_example_body(first_model(loaded))}'",
        "",
    ]
    return "\n".join(lines)


def _example_body(model: str) -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})


def first_model(loaded: LoadedSettings) -> str:
    """A model name that works: the first route of the file, else the built-in `auto`."""
    return next(iter(loaded.settings.routes), "auto")


def readable(path: Path) -> str:
    """Relative to the working directory where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) and not relative.startswith("..") else str(path)


def _providers(loaded: LoadedSettings, running: Running) -> str:
    parts = []
    every = running.providers or tuple(loaded.settings.providers)
    if names := ", ".join(every[:8]):
        more = len(every) - 8
        parts.append(names + (f" and {more} more" if more > 0 else ""))
    if running.simulator_url:
        parts.append("SIMULATED ones (built in: answers are made up and say so; nobody bills their cost)")
    return "; ".join(parts) or "none yet: set a provider's key in the environment, or name one in the file"


def _config(loaded: LoadedSettings) -> str:
    if loaded.config_file is None:
        return f"defaults and environment (no interchange.yaml here, no {CONFIG_VARIABLE})"
    count = len(loaded.warnings)
    note = f" ({count} warning{'s' if count > 1 else ''}, see above)" if count else ""
    return f"{readable(loaded.config_file)}{note}"
