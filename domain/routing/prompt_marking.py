"""What is added to a request so that this target keeps its prompt, by the route's rules."""

from dataclasses import replace

from domain.llm.prompt_marks import MARK, PromptMarks, may_say
from domain.llm.request import LlmRequest, Operation
from domain.routing.prompt_cache import PromptCaching
from domain.routing.target import Route, Target


def with_prompt_marks(
    request: LlmRequest, route: Route, target: Target, *, tenant_id: str = "", session_id: str = ""
) -> LlmRequest:
    """The same request with what makes its prompt cacheable at the target; unchanged where that is nothing.

    A caller who marked anything decided already: then nothing of ours is added. Neither is anything to a
    call that the caller's own account pays.
    """
    policy, habit = route.prompt_caching, target.prompt_cache
    if policy.mode is PromptCaching.OFF or request.operation is not Operation.CHAT:
        return request
    if not habit.marks_max and not habit.takes_key:
        return request
    if habit.marks_max and may_say(MARK, request.body):
        return request
    marks = PromptMarks(
        habit.tokens_min if policy.tokens_min is None else policy.tokens_min,
        habit.marks_max,
        policy.long and habit.keeps_long,
        habit.takes_key,
        tenant_id.encode("utf-8", "surrogatepass"),
        session_id.encode("utf-8", "surrogatepass"),
        policy.retention if habit.takes_key else "",
    )
    return replace(request, prompt_marks=marks)
