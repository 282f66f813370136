"""What is read: the labelled texts, and ordinary ones in which nothing is to be found."""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Final, NamedTuple

from domain.privacy.kinds import PiiKind

KINDS: Final = (
    PiiKind.CREDIT_CARD,
    PiiKind.PHONE_NUMBER,
    PiiKind.EMAIL_ADDRESS,
    PiiKind.IBAN_CODE,
    PiiKind.US_SSN,
    PiiKind.IP_ADDRESS,
)
DATA_VARIABLE: Final = "PII_DATA"
FILE: Final = "generated_large.json"

_VOCABULARY: Final = (
    "the of and to in that it was for on are as with they at be this from have or by one had not "
    "but what all were when we there can an your which their said if will each about how up out "
    "them then she many some so these would other into has more her two like him see time could no "
    "make than first been its who now people my made over did down only way find use may water long "
    "little very after words called just where most know meeting roadmap release customer quarter "
    "growth revenue report summary please translate explain compare"
)


class Span(NamedTuple):
    kind: str
    start: int
    end: int


class Labelled(NamedTuple):
    """Spans of KINDS only."""

    text: str
    spans: tuple[Span, ...]


def data_file(given: str | None) -> Path:
    """What was given, else $PII_DATA, else beside the project."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pii"
    return Path(given or os.environ.get(DATA_VARIABLE) or folder / FILE)


def labelled(path: Path) -> list[Labelled]:
    """In the form of microsoft/presidio-research."""
    return [
        Labelled(
            row["full_text"],
            tuple(
                Span(span["entity_type"], span["start_position"], span["end_position"])
                for span in row["spans"]
                if span["entity_type"] in KINDS
            ),
        )
        for row in json.loads(path.read_text("utf-8"))
    ]


def is_tuned_on(text: str) -> bool:
    """One half, by a hash of the text, so that equal texts are on one side."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 0


def ordinary(seed: int) -> dict[str, list[str]]:
    """Texts without personal data, by what they are: prose with dates, amounts and times; JSON of records
    with ids and measurements; and this project's own sources."""
    chance = random.Random(seed)
    return {
        "prose": [_prose(chance) for _ in range(400)],
        "JSON": [json.dumps(_record(chance)) for _ in range(400)],
        "source code": [_source(path) for path in sorted(Path("domain").rglob("*.py"))],
    }


def _source(path: Path) -> str:
    return path.read_text("utf-8")


def _prose(chance: random.Random) -> str:
    words = chance.choices(_VOCABULARY.split(), k=150)
    for _ in range(6):
        words.insert(chance.randrange(len(words)), _amount(chance))
    return " ".join(words).capitalize() + "."


def _amount(chance: random.Random) -> str:
    return chance.choice(
        (
            f"{chance.randrange(1990, 2030)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            f"${chance.randrange(1, 999)},{chance.randrange(100, 999)}.{chance.randrange(10, 99)}",
            f"{chance.random() * 100:.2f} %",
            f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}",
            f"order {chance.randrange(10**7, 10**8)}",
            f"version {chance.randrange(9)}.{chance.randrange(20)}.{chance.randrange(99)}",
            f"{chance.randrange(1, 99)} of {chance.randrange(100, 999)}",
            f"pages {chance.randrange(100, 400)}-{chance.randrange(400, 900)}",
        )
    )


def _record(chance: random.Random) -> dict[str, object]:
    return {
        "id": f"{chance.getrandbits(128):032x}",
        "order_id": chance.randrange(10**9, 10**10),
        "created": 1_700_000_000_000 + chance.randrange(10**9),
        "trace": f"{chance.getrandbits(64):016x}-{chance.getrandbits(32):08x}",
        "items": [
            {
                "sku": f"{chance.choice('ABCDEFGH')}{chance.randrange(10**5, 10**6)}",
                "price": round(chance.random() * 500, 2),
                "stock": chance.randrange(10**6),
                "vector": [round(chance.gauss(0, 1), 6) for _ in range(8)],
            }
            for _ in range(6)
        ],
    }
