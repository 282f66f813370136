"""Files that callers leave here: inputs of batches, and what batches answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidRequest

UPLOAD_PURPOSES: Final = ("batch", "assistants", "fine-tune", "user_data", "evals", "vision")
"""What OpenAI's clients may say. Only `batch` means something here; the others are kept as they are."""
BATCH: Final = "batch"
BATCH_OUTPUT: Final = "batch_output"
FILENAME_CHARS_MAX: Final = 255
EXPIRES_AFTER_MIN_S: Final = 3600
EXPIRES_AFTER_MAX_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """What is known about a file. Times are UTC epoch microseconds."""

    file_id: str
    tenant_id: str
    key_id: str
    filename: str
    purpose: str
    size_bytes: int
    sha256: str
    created_at_us: int
    expires_at_us: int


def check_upload(filename: str, purpose: str) -> None:
    """Raises InvalidRequest that names the field, what was wrong and what is allowed."""
    if purpose not in UPLOAD_PURPOSES:
        raise InvalidRequest(
            f"purpose {purpose[:40]!r} is unknown; allowed: {', '.join(UPLOAD_PURPOSES)}", param="purpose"
        )
    if not filename or len(filename) > FILENAME_CHARS_MAX or not filename.isprintable():
        raise InvalidRequest(
            f"the file's name must have 1-{FILENAME_CHARS_MAX} printable characters", param="file"
        )


def read_expiry_s(fields: Mapping[str, str], longest_s: int) -> int:
    """Seconds a file is kept, from a form's `expires_after[…]`; without it as long as files are kept.

    Raises:
        InvalidRequest: another anchor than `created_at`, or not so many seconds.
    """
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return longest_s
    if anchor != "created_at":
        raise InvalidRequest("expires_after[anchor] must be created_at", param="expires_after[anchor]")
    number = int(seconds) if seconds and seconds.isascii() and seconds.isdigit() and len(seconds) < 10 else 0
    if not EXPIRES_AFTER_MIN_S <= number <= EXPIRES_AFTER_MAX_S:
        raise InvalidRequest(
            f"expires_after[seconds] must be from {EXPIRES_AFTER_MIN_S} to {EXPIRES_AFTER_MAX_S}",
            param="expires_after[seconds]",
        )
    return min(number, longest_s)
