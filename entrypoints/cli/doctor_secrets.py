"""What `interchange doctor` says about files that hold secrets."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings

SECRET_FILES: Final = ("pepper.key", "audit.key", "vault.keys")
"""In the data directory: what key hashes are made with, what checkpoints are signed with, what opens the
vault."""
REMEMBERED: Final = "vault.manifest"
"""No secret; whoever may write there can hide that the vault was put back."""


def secret_file_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Files that somebody beside their owner can read, or write where that is what counts."""
    folder, own = loaded.settings.data_dir, loaded.settings.vault.key_file
    files = [folder / name for name in SECRET_FILES] + ([] if own is None else [own])
    open_to_others = [path for path in files if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO)]
    written = _mode(folder / REMEMBERED) & (stat.S_IWGRP | stat.S_IWOTH)
    for path in open_to_others:
        yield Finding("secrets", "fail", f"others can read {path}", f"chmod 600 {path}")
    if written:
        path = folder / REMEMBERED
        yield Finding("secrets", "fail", f"others can write {path}", f"chmod 600 {path}")
    if not open_to_others and not written:
        yield Finding("secrets", "ok", "no file of secrets is open to others")


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0  # not there yet, or out of reach for us too
