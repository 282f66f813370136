"""`python -m tests.unit.jobs.serve_placeholder FACTORY FLAGS`: the supervisor over the placeholder."""

import asyncio
import json
import os
import sys

from entrypoints.jobs.supervisor import CannotServe, ServeOptions, Supervisor
from entrypoints.settings import load_settings


def main() -> None:
    factory, flags = sys.argv[1], json.loads(sys.argv[2])
    options = ServeOptions(
        loaded=load_settings(os.environ, flags=flags),
        version="test",
        flags=flags,
        application=f"tests.unit.jobs.placeholder_app:{factory}",
    )
    try:
        sys.exit(asyncio.run(Supervisor(options, say=lambda line: print(line, flush=True)).run()))
    except CannotServe as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
