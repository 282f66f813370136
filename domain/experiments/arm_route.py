"""The route of an arm: the asked route's name and rules, with the arm's way of choosing who answers.

What callers may do and what happens to their content stays what the asked route says: its name (limits,
budgets, rights), privacy, guardrails, guards, recording, caching, kept answers, credentials of callers. The
arm decides targets, strategy, retries, timeouts, affinity and prompt caching.
"""

from dataclasses import replace

from domain.routing.target import Route


def arm_route(asked: Route, arm: Route) -> Route:
    """What answers a request of the arm that was asked of `asked`; `asked` itself where they are the same."""
    if arm is asked:
        return asked
    limits = [each for each in (asked.max_output_tokens, arm.max_output_tokens) if each is not None]
    return replace(
        asked,
        targets=arm.targets,
        strategy=arm.strategy,
        max_fallbacks=arm.max_fallbacks,
        retries=arm.retries,
        timeouts=arm.timeouts,
        stream_recovery=arm.stream_recovery,
        stand_ins=arm.stand_ins,
        affinity=arm.affinity,
        prompt_caching=arm.prompt_caching,
        max_output_tokens=min(limits, default=None),
        quality=asked.quality._replace(learned=arm.quality.learned),
    )
