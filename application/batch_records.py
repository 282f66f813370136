"""Usage of a batch's lines that no request of their own brought: made from what the batch knows."""

from application.accounting import note_attempt
from application.batch_run import BatchRun
from application.hold import Hold
from application.job import Attribution, Job
from application.ports.system import Clock
from application.runtime import Runtime
from domain.batch.progress import UNRESOLVED
from domain.llm.failures import Failure
from domain.llm.request import LlmRequest
from domain.llm.usage import BYTES_PER_TOKEN_TYPICAL, Usage
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline

UNRESOLVED_OUTPUT_TOKENS = 512
"""How long an answer is taken to have been that nobody has seen and whose length nobody bounded."""


class BatchRecords:
    """Makes jobs that were never admitted, to be recorded by `AnswerLlmRequest.record`."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    def target(self, target_id: str) -> Target | None:
        """The target of that id, while it is configured."""
        table, _ = self._runtime.snapshot
        return next((target for target in table.targets if target.id == target_id), None)

    def job(
        self,
        run: BatchRun,
        custom_id: str,
        request: LlmRequest,
        target: Target,
        request_id: str,
        principal: Principal | None = None,
    ) -> Job:
        """As if the line had been a request to this target. `principal` None: the key is known no more."""
        now = self._clock.monotonic()
        batch = run.batch
        return Job(
            request_id=request_id,
            principal=principal
            or Principal(
                tenant_id=batch.tenant_id, key_id=batch.key_id, key_name="", role="", permissions=frozenset()
            ),
            request=request,
            requirements=Requirements(),
            plan=Plan(Route(name=request.model, targets=()), (), (), "", 0),
            attribution=Attribution(workflow_id=batch.batch_id, client_request_id=custom_id[:256]),
            started=now,
            started_at_us=int(self._clock.utc_now().timestamp() * 1e6),
            deadline=Deadline(now),
            answered_by=target,
            via="direct",
        )

    def note_unresolved(self, job: Job, target: Target, hold: Hold | None = None) -> None:
        """An attempt that may have been billed, counted by what such a request usually takes.

        `hold` is for soft budgets: what hard ones were charged stays, under the id of the try that was held.
        """
        tokens = job.request.max_output_tokens or UNRESOLVED_OUTPUT_TOKENS
        now = self._clock.monotonic()
        note_attempt(
            job, target, via=job.via, outcome=UNRESOLVED, started=now, ended=now, usage=None,
            answer_chars=tokens * BYTES_PER_TOKEN_TYPICAL, hold=hold,
        )  # fmt: skip

    def note_batched(
        self,
        job: Job,
        target: Target,
        usage: Usage | None,
        outcome: str,
        failure: Failure | None,
        hold: Hold | None = None,
    ) -> None:
        """An attempt that a provider's batch made, at its batch prices. `hold` as for `note_unresolved`."""
        now = self._clock.monotonic()
        note_attempt(
            job, target, via="direct", outcome=outcome, started=now, ended=now, usage=usage, failure=failure,
            may_be_billed=failure is None, batch=True, hold=hold,
        )  # fmt: skip
