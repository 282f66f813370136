"""Jobs as tests of traces need them."""

from application.job import Attribution, Job
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from domain.time import Deadline


def job(request_id: str = "req_1", attribution: Attribution | None = None) -> Job:
    """A chat that has just come in."""
    return Job(
        request_id=request_id,
        principal=Principal(
            tenant_id="acme", key_id="key_1", key_name="k", role="agent", permissions=frozenset({"llm.call"})
        ),
        request=LlmRequest(operation=Operation.CHAT, dialect="openai.chat", model="assistant", body=b"{}"),
        requirements=Requirements(),
        plan=NO_PLAN,
        attribution=attribution or Attribution(),
        started=0.0,
        started_at_us=0,
        deadline=Deadline(10.0),
    )
