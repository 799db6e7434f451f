"""Asking the person before something is destroyed. It fails closed.

Three ways, by what the client can do. In the stateless era the tool's answer is the question, and
the client calls again with the person's answer (MCP 2026-07-28, multi-round-trip requests). In the
handshake era the server asks over the open session. A client that cannot be asked must have asked
by itself, which it states with an argument.
"""

from __future__ import annotations

import hashlib

from fastmcp.exceptions import ToolError
from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_context
from fastmcp.server.elicitation import AcceptedElicitation
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from redmine_mcp_core.redmine import BadArgument, RedmineError

_ANSWER = "confirm"
_FORM = {
    "type": "object",
    "properties": {_ANSWER: {"type": "boolean", "title": "Yes, do it", "default": False}},
    "required": [_ANSWER],
}


class AskFirst(Exception):
    """The tool cannot go on without the person's answer; the question goes to the client."""

    def __init__(self, question: InputRequiredResult) -> None:
        super().__init__("the person is asked first")
        self.question = question


class NotConfirmed(BadArgument):
    """The person did not say yes, or was not asked."""

    code = "not_confirmed"


class StandsOtherwise(RedmineError):
    """What the person agreed to is not what would happen now."""

    code = "conflict"
    sentence = "This has changed since the question was asked. Nothing was done."


class NotDeleted(RedmineError):
    """Redmine said that it deleted something, and it is still there."""

    code = "not_deleted"

    def __init__(self, what: str) -> None:
        super().__init__(f"Redmine did not delete {what}, and does not say why.")


async def confirmed(question: str, *, confirm: bool) -> None:
    """Return only if the person agreed to exactly this.

    ``question`` names what will be destroyed. ``confirm`` is the tool's own argument: it counts
    only where the client cannot ask. Raises ``NotConfirmed`` otherwise.
    """
    context = get_context()
    if _can_ask(context):
        agreed = (
            _answered(context, question)
            if _is_stateless(context)
            else await _ask_now(context, question)
        )
        if not agreed:
            raise NotConfirmed("The person did not agree, so nothing was done.")
    elif not confirm:
        raise NotConfirmed(
            f"{question} Ask the person, and only if they agree call again with confirm=true."
        )


def _can_ask(context: Context) -> bool:
    capabilities = context.session.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


def _is_stateless(context: Context) -> bool:
    request = context.request_context
    return request is not None and str(request.protocol_version) >= "2026-07-28"


def _answered(context: Context, question: str) -> bool:
    """The answer that came back with this call. Raises ``AskFirst`` if there is none yet.

    The state that travels with the question is sealed by the server, so that an answer to one
    question is none to another.
    """
    asked = hashlib.sha256(question.encode()).hexdigest()
    answers = context.input_responses
    if not answers or context.request_state != asked:
        params = ElicitRequestFormParams(message=question, requested_schema=_FORM)
        request = ElicitRequest(params=params)
        raise AskFirst(InputRequiredResult(input_requests={_ANSWER: request}, request_state=asked))
    answer = answers.get(_ANSWER)
    return (
        isinstance(answer, ElicitResult)
        and answer.action == "accept"
        and (answer.content or {}).get(_ANSWER) is True
    )


async def _ask_now(context: Context, question: str) -> bool:
    try:
        answer = await context.elicit(question, bool, response_title="Yes, do it")
    except (ToolError, RuntimeError):
        return False
    return isinstance(answer, AcceptedElicitation) and answer.data is True
