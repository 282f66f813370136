"""What `interchange doctor` says about the keys of the vault, and where checkpoints of the audit trail go."""

import os
from collections.abc import Iterator
from pathlib import Path

from domain.errors import InterchangeError
from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings


def vault_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Whether credentials that are stored can be opened, and are what was stored. Makes no keys."""
    from entrypoints.main import vault_facts

    try:
        facts = vault_facts(loaded)
    except InterchangeError as error:
        yield Finding("vault", "fail", error.message, "see `vault` in the configuration (docs/vault.md)")
        return
    if facts is None or not facts.used:
        yield Finding("vault", "ok", "nothing is stored in it yet")
        return
    if facts.locked:
        yield Finding(
            "vault",
            "fail",
            f"locked: {facts.locked}",
            "bring the keys back where `vault` names them; credentials cannot be used until then",
        )
    for problem in facts.problems:
        yield Finding("vault", "fail", problem, "interchange credentials verify")
    if not facts.locked and not facts.problems:
        yield Finding("vault", "ok", "it opens, and every credential is as it was stored")


def checkpoint_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Whether the audit trail's checkpoints can be appended to their file. Writes nothing."""
    file = loaded.settings.audit.checkpoint_file
    if file is None:
        return
    problem = _unwritable(file)
    if problem:
        yield Finding(
            "audit checkpoints",
            "fail",
            f"{file}: {problem}",
            "fix its owner or name another audit.checkpoint_file; until then no checkpoint leaves by it",
        )
    else:
        yield Finding("audit checkpoints", "ok", str(file))


def _unwritable(file: Path) -> str:
    """Why nothing can be appended to it; empty: it can."""
    try:
        if file.exists():
            if not file.is_file():
                return "is no file"
            return "" if os.access(file, os.W_OK) else "cannot be written"
        folder = next((each for each in file.parents if each.exists()), None)
    except OSError as error:
        return error.strerror or "cannot be reached"
    if folder is None or not folder.is_dir():
        return f"{folder or file.parent} is no folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"cannot be made in {folder}"
