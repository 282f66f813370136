"""`batch`: what callers may leave here as files, and how their batches are run."""

from pydantic import Field

from entrypoints.config.sections import Section

_MIB = 1024 * 1024


class BatchSettings(Section):
    """Files and batches. Bounds per tenant hold whatever its keys are.

    `concurrency` is how many lines of one batch are in flight where the batch says nothing; all batches
    together never take more than half of `limits.max_concurrent_requests`.
    """

    file_bytes_max: int = Field(default=512 * _MIB, ge=1024, le=16 * 1024 * _MIB)
    files_per_tenant_max: int = Field(default=1000, ge=1, le=1_000_000)
    bytes_per_tenant_max: int = Field(default=4096 * _MIB, ge=1024, le=1024 * 1024 * _MIB)
    retention_days: int = Field(
        default=30, ge=1, le=365, description="After so many days files and finished batches are removed."
    )
    lines_max: int = Field(default=100_000, ge=1, le=1_000_000)
    batches_per_tenant_max: int = Field(default=1000, ge=1, le=100_000)
    unfinished_per_tenant_max: int = Field(default=50, ge=1, le=10_000)
    running_max: int = Field(default=4, ge=1, le=64, description="Batches one worker runs at once.")
    concurrency: int = Field(default=16, ge=1, le=256)
    concurrency_max: int = Field(default=64, ge=1, le=256)
