"""Where things are in the data directory."""

from pathlib import Path

from entrypoints.settings import Settings


def files_directory(settings: Settings) -> Path:
    """Where the bytes of callers' files are."""
    return settings.data_dir / "files"


def batches_directory(settings: Settings) -> Path:
    """Where the journals of batches are."""
    return settings.data_dir / "batches"


def models_directory(settings: Settings) -> Path:
    """Where models that run on this machine are installed."""
    return settings.cache.models_dir or settings.data_dir / "models"
