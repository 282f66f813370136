"""Where everything is put together: the server's application, and use cases for the command line."""

import os
from functools import partial

from entrypoints.http.app import Application
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings


def build_application() -> Application:
    """The ASGI application of one worker, from the environment the supervisor set.

    Raises:
        ConfigError: with every problem of the configuration.
    """
    return Application(partial(open_faces, load_settings(os.environ)))
