"""The tools, resources and prompts that the conformance suite asks every server for.

Most are plain FastMCP, beside what our plugins declare: the suite looks at protocol features that
no tool for Redmine needs, and the way of such an answer through our server is what is tested.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import mcp_types as mcp
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message, PromptResult
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.tools import ToolResult
from mcp.shared.exceptions import MCPError
from pydantic import Field

from redmine_mcp_core import Plugin, Result

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0"


plugin = Plugin()


class Region(Result):
    name: str

    def text(self) -> str:
        return self.name


@plugin.tool(title="Region", scopes={"view_issues"}, read_only=True)
async def test_region(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> Region:
    """Say which region the header Mcp-Param-Region names (SEP-2243)."""
    return Region(name=region)


def text(words: str) -> mcp.TextContent:
    return mcp.TextContent(type="text", text=words)


def image() -> mcp.ImageContent:
    return mcp.ImageContent(
        type="image", data=base64.b64encode(PNG).decode(), mime_type="image/png"
    )


def audio() -> mcp.AudioContent:
    return mcp.AudioContent(
        type="audio", data=base64.b64encode(WAV).decode(), mime_type="audio/wav"
    )


def embedded(uri: str, kind: str, words: str) -> mcp.EmbeddedResource:
    content = mcp.TextResourceContents(uri=uri, mime_type=kind, text=words)
    return mcp.EmbeddedResource(type="resource", resource=content)


CONTENT: dict[str, Sequence[mcp.ContentBlock]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [audio()],
    "test_embedded_resource": [
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data"}'),
    ],
}
"""What each tool answers."""


def form(message: str, **fields: str) -> mcp.ElicitRequest:
    """A question to the person, with fields of these types."""
    properties = {name: {"type": kind} for name, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    return mcp.ElicitRequest(
        params=mcp.ElicitRequestFormParams(message=message, requested_schema=schema)
    )


def sampling(words: str) -> mcp.CreateMessageRequest:
    message = mcp.SamplingMessage(role="user", content=text(words))
    return mcp.CreateMessageRequest(
        params=mcp.CreateMessageRequestParams(messages=[message], max_tokens=100)
    )


Round = Mapping[str, Any]
"""What is asked of the client before a call can go on, by name."""

NAME: Round = {"user_name": form("What is your name?", name="string")}
ROOTS: Round = {"client_roots": mcp.ListRootsRequest()}
CONFIRM: Round = {"confirm": form("Please confirm", ok="boolean")}
ASKING: dict[str, Sequence[Round]] = {
    "elicitation": [NAME],
    "sampling": [{"capital_question": sampling("What is the capital of France?")}],
    "list_roots": [ROOTS],
    "request_state": [CONFIRM],
    "tampered_state": [CONFIRM],
    "multiple_inputs": [{**NAME, "greeting": sampling("Generate a greeting"), **ROOTS}],
    "multi_round": [
        {"step1": form("Step 1: What is your name?", name="string")},
        {"step2": form("Step 2: What is your favorite color?", color="string")},
    ],
}
"""The rounds of each tool ``test_input_required_result_...``."""


def asked(rounds: Sequence[Round], context: Context) -> mcp.InputRequiredResult | str:
    """What is to be asked next; once all is answered, the answers. The state counts the rounds."""
    answers = context.input_responses or {}
    done = int(context.request_state or 0)
    if set(rounds[done]) <= set(answers) and all(map(_is_answer, answers.values())):
        done += 1
    if done < len(rounds):
        return mcp.InputRequiredResult(input_requests=dict(rounds[done]), request_state=str(done))
    return f"state-ok: {[answer.model_dump(mode='json') for answer in answers.values()]}"


def _is_answer(answer: Any) -> bool:
    return not isinstance(answer, mcp.ElicitResult) or bool(answer.content)


def _answering(content: Sequence[mcp.ContentBlock]) -> Callable[[], ToolResult]:
    return lambda: ToolResult(content=list(content))


def _asking(rounds: Sequence[Round]) -> Callable[[Context], Any]:
    async def tool(context: Context) -> Any:
        return asked(rounds, context)

    return tool


async def progress(context: Context) -> str:
    for done in (0, 50, 100):
        await context.report_progress(done, 100)
        await asyncio.sleep(0)
    return "done"


async def logging(context: Context) -> str:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.info(words)
    return "done"


async def error() -> str:
    raise ToolError("This tool intentionally returns an error for testing")


async def sampling_only(context: Context) -> Any:
    """Asks in the one way that the client declared."""
    return asked([{"capital_question": sampling("What is the capital of France?")}], context)


async def missing_capability(context: Context) -> str:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        needed = mcp.ClientCapabilities(sampling=mcp.SamplingCapability())
        data = mcp.MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
        raise MCPError(
            code=mcp.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This tool needs sampling",
            data=data.model_dump(by_alias=True, exclude_none=True),
        )
    return "done"


TOOLS: dict[str, Callable[..., Any]] = {
    **{name: _answering(content) for name, content in CONTENT.items()},
    **{f"test_input_required_result_{name}": _asking(each) for name, each in ASKING.items()},
    "test_input_required_result_capabilities": sampling_only,
    "test_tool_with_progress": progress,
    "test_tool_with_logging": logging,
    "test_error_handling": error,
    "test_missing_capability": missing_capability,
}


def simple_prompt() -> str:
    return "This is a simple prompt for testing."


def prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def prompt_with_resource(resourceUri: str) -> PromptResult:  # noqa: N803 - the suite's word
    content = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return PromptResult(
        messages=[Message(content), Message("Please process the embedded resource above.")]
    )


def prompt_with_image() -> PromptResult:
    return PromptResult(messages=[Message(image()), Message("Please analyze the image above.")])


async def asking_prompt(context: Context) -> Any:
    question = form("What context should the prompt use?", context="string")
    return asked([{"user_context": question}], context)


PROMPTS: dict[str, Callable[..., Any]] = {
    "test_simple_prompt": simple_prompt,
    "test_prompt_with_arguments": prompt_with_arguments,
    "test_prompt_with_embedded_resource": prompt_with_resource,
    "test_prompt_with_image": prompt_with_image,
    "test_input_required_result_prompt": asking_prompt,
}


def add_fixtures(server: FastMCP[Any]) -> None:
    """Put them all into a server."""
    for name, tool in TOOLS.items():
        server.tool(tool, name=name, description=name, output_schema=None)
    for name, prompt in PROMPTS.items():
        server.prompt(prompt, name=name, description=name)

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> ResourceResult:
        return ResourceResult([ResourceContent(PNG, mime_type="image/png")])

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the suite's word
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'
