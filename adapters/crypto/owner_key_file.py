"""`<data_dir>/admin.key`: where the operator finds the owner's key after the first start."""

from pathlib import Path

from adapters.crypto.secret_file import replace_secret, write_secret_once
from application.ports.keys import OwnerKeyFile

OWNER_KEY_FILE = "admin.key"


class PrivateOwnerKeyFile(OwnerKeyFile):
    """A file with mode 0600 that holds one key and a line end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep_first(self, key: str) -> str:
        return write_secret_once(self.path, f"{key}\n".encode()).decode("ascii", "replace").strip()

    def replace(self, key: str) -> None:
        replace_secret(self.path, f"{key}\n".encode())
