"""How a plugin adds tools, resources and prompts: plain async functions under a decorator."""

from __future__ import annotations

import base64
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

import pluggy
from fastmcp.exceptions import PromptError, ResourceError, ToolError, ValidationError
from fastmcp.prompts import Prompt
from fastmcp.prompts.function_prompt import FunctionPrompt
from fastmcp.resources import Resource, ResourceTemplate
from fastmcp.resources.function_resource import FunctionResource
from fastmcp.resources.template import FunctionResourceTemplate
from fastmcp.tools import FunctionTool, ToolResult
from fastmcp.tools.base import InputRequiredToolResult
from fastmcp.utilities.json_schema import compress_schema
from mcp_types import ContentBlock, ImageContent, TextContent
from pydantic import ValidationError as PydanticValidationError
from pydantic.fields import FieldInfo

from redmine_mcp_core.redmine import Redmine, RedmineError
from redmine_mcp_core.results import Quotation, Result
from redmine_mcp_core.tools import icons
from redmine_mcp_core.tools.confirmation import AskFirst
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration

API_VERSION = 1
"""The version of this contract. A plugin that declares another one is refused, by name."""

hookimpl = pluggy.HookimplMarker("redmine_mcp")

Completer = Callable[[str, Redmine, Mapping[str, str]], Awaitable[Iterable[str]]]
"""Offers values: given what was typed so far, Redmine as the caller, and the other arguments."""

_UNKNOWN = frozenset({"unexpected_keyword_argument", "unexpected_positional_argument"})
"""Pydantic's names for an argument that a function has not."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class RedmineTool(FunctionTool):
    """A tool whose result is a ``Result`` and whose errors are sentences."""

    declaration: ToolDeclaration

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        try:
            return await super().run(arguments)
        except AskFirst as asked:
            return InputRequiredToolResult(asked.question)
        except RedmineError as error:
            raise ToolError(f"{_spoken(error)} [{error.code}]", log_level=logging.DEBUG) from error
        except ValidationError as error:
            raise ToolError(self._not_called(error), log_level=logging.DEBUG) from error

    def _not_called(self, error: ValidationError) -> str:
        """What is wrong with the arguments; with an unknown one, which ones there are."""
        cause = error.__cause__
        if not isinstance(cause, PydanticValidationError):
            return f"{self.name} was called with arguments it does not take."
        known = ""
        if any(problem["type"] in _UNKNOWN for problem in cause.errors(include_url=False)):
            known = f". It takes: {', '.join(self.parameters['properties'])}"
        return f"{self.name} was not called: {_problems(cause)}{known}. [bad_arguments]"

    def convert_result(self, raw_value: Any) -> ToolResult:
        if isinstance(raw_value, Result):
            return ToolResult(content=_content(raw_value), structured_content=raw_value.data())
        return super().convert_result(raw_value)


class _SpeakingResource(FunctionResource):
    async def read(self) -> Any:
        try:
            return await super().read()
        except RedmineError as error:
            raise ResourceError(_spoken(error), log_level=logging.DEBUG) from error


class _SpeakingTemplate(FunctionResourceTemplate):
    async def read(self, arguments: dict[str, Any]) -> Any:
        try:
            return await super().read(arguments)
        except RedmineError as error:
            raise ResourceError(_spoken(error), log_level=logging.DEBUG) from error


class _SpeakingPrompt(FunctionPrompt):
    async def render(self, arguments: dict[str, Any] | None = None) -> Any:
        try:
            return await super().render(arguments)
        except RedmineError as error:
            raise PromptError(_spoken(error), log_level=logging.DEBUG) from error
        except ValidationError as error:  # an argument is missing
            raise PromptError(f"{error}.", log_level=logging.DEBUG) from error
        except (PromptError, PydanticValidationError) as error:
            cause = error if isinstance(error, PydanticValidationError) else error.__cause__
            if not isinstance(cause, PydanticValidationError):  # the prompt's own words
                raise
            sentence = f"{self.name} was not rendered: {_problems(cause)}."
            raise PromptError(sentence, log_level=logging.DEBUG) from cause


class Components:
    """Tools, resources, templates and prompts in the order they were declared."""

    def __init__(self) -> None:
        self.tools: list[RedmineTool] = []
        self.resources: list[Resource] = []
        self.templates: list[ResourceTemplate] = []
        self.prompts: list[Prompt] = []
        self.completers: list[tuple[str, Completer]] = []
        """By the name of the argument."""

    @property
    def scopes(self) -> list[str]:
        """The Redmine scopes that these tools can make use of, sorted."""
        declarations = [tool.declaration for tool in self.tools]
        return sorted(
            frozenset().union(*(item.scopes | item.optional_scopes for item in declarations))
        )

    def include(self, other: Components) -> None:
        self.tools += other.tools
        self.resources += other.resources
        self.templates += other.templates
        self.prompts += other.prompts
        self.completers += other.completers

    def tool(
        self,
        *,
        title: str,
        scopes: Iterable[str],
        optional_scopes: Iterable[str] = (),
        read_only: bool = False,
        destroys: bool = False,
        listed: bool = True,
        local: bool = False,
    ) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
        """Declare a tool; its name is the function's and its description the docstring.

        A tool writes unless it says ``read_only`` or ``destroys``. ``scopes`` are the Redmine
        permissions without which it cannot work; it is neither listed nor called without them.
        A tool that is not ``listed`` costs a model nothing until it looks for it. One that is
        ``local`` needs files of the caller's own computer, and is offered only where it has some.

        Raises ``TypeError`` for a function that is not async, has no docstring, does not say of
        what type each argument is, or does not return a ``Result``.
        """
        effect = Effect.READS if read_only else Effect.DESTROYS if destroys else Effect.WRITES

        def declare(function: Callable[_P, _R]) -> Callable[_P, _R]:
            _check_finished(function)
            declaration = ToolDeclaration(
                name=function.__name__,
                effect=effect,
                scopes=frozenset(scopes),
                optional_scopes=frozenset(optional_scopes),
                listed=listed,
                local=local,
            )
            parsed = FunctionTool.from_function(
                function,
                title=title,
                annotations=declaration.annotations,
                icons=[icons.OF_EFFECT[effect]],
                output_schema=_output_schema(function),
            )
            fields = {name: getattr(parsed, name) for name in FunctionTool.model_fields}
            fields["parameters"] = _without_empty_defaults(parsed.parameters)
            self.tools.append(RedmineTool(**fields, declaration=declaration))
            return function

        return declare

    def resource(
        self, uri: str, *, name: str, title: str, mime_type: str = "application/json"
    ) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
        """Declare a resource, or a template where the URI has ``{parameters}``."""

        about: dict[str, Any] = {
            "name": name,
            "title": title,
            "icons": [icons.RESOURCE],
            "mime_type": mime_type,
        }

        def declare(function: Callable[_P, _R]) -> Callable[_P, _R]:
            if "{" in uri:
                self.templates.append(_SpeakingTemplate.from_function(function, uri, **about))
            else:
                self.resources.append(_SpeakingResource.from_function(function, uri, **about))
            return function

        return declare

    def prompt(self, *, title: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
        """Declare a prompt; its name is the function's and its description the docstring."""

        def declare(function: Callable[_P, _R]) -> Callable[_P, _R]:
            prompt = _SpeakingPrompt.from_function(function, title=title, icons=[icons.PROMPT])
            told = _descriptions(function)
            for argument in prompt.arguments or ():  # FastMCP adds a JSON schema to each
                argument.description = told.get(argument.name)
            self.prompts.append(prompt)
            return function

        return declare

    def completes(self, *arguments: str) -> Callable[[Completer], Completer]:
        """Offer values for the arguments of these names, in any prompt or resource template.

        Where several plugins offer values for one name, the client is shown all of them.
        """

        def declare(function: Completer) -> Completer:
            self.completers += [(argument, function) for argument in arguments]
            return function

        return declare


class Plugin(Components):
    """A plugin that consists of components: declare them on it and name it as entry point."""

    api_version = API_VERSION

    @hookimpl
    def register_components(self, components: Components) -> None:
        components.include(self)


def _check_finished(function: Callable[..., Any]) -> None:
    """Refuse now what would fail only when called, or leave a model to guess."""
    name = function.__name__
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"The tool {name} must be async: begin it with “async def”.")
    if not inspect.getdoc(function):
        raise TypeError(f"The tool {name} needs a docstring that tells a model what it does.")
    parameters = inspect.signature(function).parameters.values()
    if untyped := [each.name for each in parameters if each.annotation is each.empty]:
        raise TypeError(
            f"The tool {name} must say of what type these arguments are: {', '.join(untyped)}."
        )


def _without_empty_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without defaults that say nothing: null, no, 0, and whatever is empty.

    What is absent is left out anyway, and every conversation reads each of them.
    """
    properties = {
        name: {part: value for part, value in about.items() if part != "default" or value}
        for name, about in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _output_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of what ``Result.data`` gives: a field with a default may be absent."""
    returns = inspect.signature(function, eval_str=True).return_annotation
    if not (isinstance(returns, type) and issubclass(returns, Result)):
        raise TypeError(f"The tool {function.__name__} must return a Result.")
    return compress_schema(returns.model_json_schema(mode="validation"), prune_titles=True)


def _descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """What the fields of the parameters say, in the words of who wrote them."""
    return {
        parameter.name: note.description
        for parameter in inspect.signature(function, eval_str=True).parameters.values()
        for note in getattr(parameter.annotation, "__metadata__", ())
        if isinstance(note, FieldInfo) and note.description
    }


def _spoken(error: RedmineError) -> str:
    """The sentence for a model: what Redmine's users wrote stands between marks."""
    return error.spoken(Quotation().inline)


def _content(result: Result) -> list[ContentBlock]:
    return [
        TextContent(text=result.text()),
        *(
            ImageContent(data=base64.b64encode(one.content).decode(), mime_type=one.mime_type)
            for one in result.media()
        ),
    ]


def _problems(error: PydanticValidationError) -> str:
    """What is wrong with each argument, without repeating what it holds."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )
