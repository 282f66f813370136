"""Where everything is put together: the server's application, and use cases for the command line."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from application.use_cases.catalog_queries import CatalogUseCases
from entrypoints.cli.keys import KeyUseCases
from entrypoints.containers import StoreContainer
from entrypoints.http.app import Application
from entrypoints.lifespan import open_faces, open_stores
from entrypoints.settings import load_settings


def build_application() -> Application:
    """The ASGI application of one worker, from the environment the supervisor set.

    Raises:
        ConfigError: with every problem of the configuration.
    """
    return Application(partial(open_faces, load_settings(os.environ)))


@contextmanager
def _stores() -> Iterator[StoreContainer]:
    """The data directory's stores for one command, without a server."""
    loaded = load_settings(os.environ)
    with asyncio.Runner() as runner:
        opened = open_stores(loaded.settings, loaded.environ)
        container = runner.run(opened.__aenter__())
        try:
            yield container
        finally:
            runner.run(opened.__aexit__(None, None, None))


@contextmanager
def open_key_use_cases() -> Iterator[KeyUseCases]:
    """What `interchange keys` works with."""
    with _stores() as container:
        yield KeyUseCases(
            create=container.create_key(),
            list=container.list_keys(),
            revoke=container.revoke_key(),
            recover=container.recover_key(),
            clock=container.clock(),
        )


@contextmanager
def open_catalog_use_cases() -> Iterator[CatalogUseCases]:
    """What `interchange catalog` works with."""
    with _stores() as container:
        yield container.catalog_use_cases()
