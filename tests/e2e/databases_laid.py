"""A new installation's database, laid where a server will look for it: making one takes a second of each
start, and others test that."""

import shutil
from pathlib import Path

from tests.contract.sql_world import migrated_sqlite


def lay_database(folder: Path, name: str = "interchange.db") -> Path:
    """An empty database at the shipped schema, in a folder that is made for it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    shutil.copyfile(migrated_sqlite(), path)
    path.chmod(0o600)
    return path
