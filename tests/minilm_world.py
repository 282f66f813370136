"""The real MiniLM for tests, installed once for all checkouts of this machine, outside of them.

`INTERCHANGE_TEST_MODELS` names another directory. What cannot be installed (no network, no extra) skips the
tests that need it, or fails them where everything is required; one attempt a session.
"""

import fcntl
import functools
import os
from pathlib import Path

import pytest

from adapters.embeddings.opening import open_minilm
from adapters.embeddings.shelf import DiskModelShelf
from domain.errors import InterchangeError
from tests.conftest import missing


def models_directory() -> Path:
    """Where tests keep models."""
    given = os.environ.get("INTERCHANGE_TEST_MODELS")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "interchange-tests" / "models"


@functools.cache
def _installed(precision: str) -> str:
    """Why it cannot be used; empty: it can."""
    shelf = DiskModelShelf(models_directory())
    models_directory().mkdir(parents=True, exist_ok=True)
    lock = (models_directory() / "lock").open("w")
    try:
        # One of the processes that share the tests installs it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for model in shelf.models():
            if model.id.endswith(f"/{precision}") and model.installed and not model.problem:
                return ""
        return shelf.install(precision, None).problem
    except InterchangeError as error:
        return error.message
    finally:
        lock.close()


def installed_models(precision: str = "int8") -> Path:
    """The directory with this precision in it."""
    problem = _installed(precision)
    if problem:
        missing(f"MiniLM {precision} ({problem})")
    return models_directory()


@pytest.fixture(scope="session")
def minilm_models() -> Path:
    """A directory with the int8 model, for whoever opens it."""
    models = installed_models()
    open_minilm(models, "int8")
    return models
