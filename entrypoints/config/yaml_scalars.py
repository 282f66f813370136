"""Where a scalar of the file is a number or a boolean by how it is written, as everywhere else in YAML 1.2.

Most of the file is read by sections that know the type of each key. A configuration of an integration is read
by its connector, and parts of it are JSON (schemas, examples), where 1 and "1" are different things.
"""

import re
from typing import Final

from entrypoints.config.problems import ConfigPath

_SECTION: Final = "integrations"
_FREE: Final = "configuration"
_TEXTS: Final = "authentication"
"""There everything is text: a password may be made of digits."""
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def scalar_at(path: ConfigPath, text: str) -> str | int | float | bool:
    """What a plain scalar with this text stands for at this place of the file."""
    if len(path) < 4 or path[0] != _SECTION or path[2] != _FREE or path[3] == _TEXTS:
        return text
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
