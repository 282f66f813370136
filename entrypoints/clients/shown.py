"""What an edit looks like, for people: a unified diff in which no secret stands."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

from entrypoints.clients.connection import Step

_SECRET: Final = re.compile(
    r"""((?:["']?)(?!env_key|apiKeyHelper|refresh|timeout|max_)[\w.-]*(?:token|key|secret|password|authorization)
        [\w.-]*["']?\s*[:=]\s*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*')""",
    re.IGNORECASE | re.VERBOSE,
)
OURS: Final = '"<the key>"'
HIDDEN: Final = '"<hidden>"'


def diff_of(steps: Sequence[Step], secret: str | None) -> str:
    """Files that hold nothing but a key are named, not shown."""
    parts: list[str] = []
    for step in steps:
        if step.file.name.endswith(".key"):
            parts.append(f"{'remove' if step.after is None else 'write'} {step.file} (the key, mode 0600)\n")
            continue
        before, after = masked(step.before or "", secret), masked(step.after or "", secret)
        parts.extend(
            line if line.endswith("\n") else line + "\n"
            for line in difflib.unified_diff(
                before.splitlines(keepends=True),
                after.splitlines(keepends=True),
                str(step.file) if step.before is not None else "/dev/null",
                str(step.file) if step.after is not None else "/dev/null",
            )
        )
    return "".join(parts)


def masked(text: str, secret: str | None) -> str:
    """Without our key, and without whatever else is called a key, token or password."""
    marker = "\0ours\0"
    if secret:
        text = text.replace(secret, marker)
    text = _SECRET.sub(lambda match: match[1] + (OURS if marker in match[2] else HIDDEN), text)
    return text.replace(marker, "<the key>")
