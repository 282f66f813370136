"""What `interchange doctor` reports."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do; empty when nothing is to be done."""

    what: str
    verdict: Verdict
    text: str
    advice: str = ""
