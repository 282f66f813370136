"""`recording`, and `record` of routes: keeping prompts and answers. Nothing is, unless it is said here."""

from pydantic import Field

from domain.recording.policy import RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX, RecordingPolicy
from entrypoints.config.sections import Section

KEYS_MAX = 10_000


class RecordSettings(Section):
    """What is kept of the content of requests. Answers to them say `x-interchange-recorded: 1`. Contents are
    kept as the privacy policy left them, sealed with keys of the vault; who may read them needs
    `prompts.read`, and each view is entered in the audit trail."""

    prompts: bool = Field(default=False, description="Keep what was asked.")
    answers: bool = Field(default=False, description="Keep what was answered.")
    retention_days: int = Field(
        default=RETENTION_DAYS_DEFAULT, ge=1, le=RETENTION_DAYS_MAX, description="Then it is removed."
    )
    sample: float = Field(
        default=1.0, ge=0, le=1, description="The share of requests that are kept, drawn at random."
    )

    def policy(self) -> RecordingPolicy:
        """As the domain wants it."""
        return RecordingPolicy(self.prompts, self.answers, self.retention_days, self.sample)


class RecordingSettings(Section):
    """Recording of single keys, and what bounds all recording."""

    keys: dict[str, RecordSettings] = Field(
        default={},
        max_length=KEYS_MAX,
        description="What is kept of requests with these keys, by key id, whatever their route says. Where "
        "both ask for it, the shorter retention holds.",
    )
    part_bytes_max: int = Field(
        default=256 * 1024,
        ge=1024,
        le=16 * 1024 * 1024,
        description="Of a longer prompt or answer only the beginning is kept, marked as such.",
    )
    tenant_day_bytes_max: int = Field(
        default=1024 * 1024 * 1024,
        ge=1024,
        description="What is kept of a tenant per day (UTC), as stored; then nothing more of that day is.",
    )

    def policies(self) -> dict[str, RecordingPolicy]:
        """Of keys that record anything."""
        made = {key_id: section.policy() for key_id, section in self.keys.items()}
        return {key_id: policy for key_id, policy in made.items() if policy.records}
