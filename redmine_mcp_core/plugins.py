"""Find the installed plugins, check them, load them one by one, and say how it went.

A plugin that fails harms no other: it is left out, and named with its reason in the log, in
``redmine-mcp plugins`` and in ``/ready``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from redmine_mcp_core import hookspecs
from redmine_mcp_core.demo import DemoRedmine
from redmine_mcp_core.events import Event, ToolCall
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.plugin_metrics import PluginMetrics
from redmine_mcp_core.observability.tracebacks import described
from redmine_mcp_core.storage import TokenStoreBackend
from redmine_mcp_core.tools.components import API_VERSION, Components

GROUP = hookspecs.PROJECT
"""The entry-point group that plugins announce themselves in."""
HEALTH_SECONDS = 5.0
"""How long a plugin's health check may take."""
OURS = frozenset("issues projects prompts sandbox storage_redis storage_sqlite time wiki".split())
"""The plugins of this repository, which the extra ``all`` installs."""
AWAITED = frozenset({"check_health"})
"""The hooks that may be async; the host does not wait for any other."""

MetricsOf = Callable[[str], PluginMetrics]


class PluginProblem(Exception):
    """A plugin cannot be used; the message says why, in one sentence."""


@dataclass(slots=True)
class PluginReport:
    """How one plugin fared."""

    name: str
    distribution: str = ""
    version: str = ""
    problem: str | None = None
    """Why it was left out; None for a plugin that works."""
    components: Components = field(default_factory=Components)
    token_stores: Sequence[TokenStoreBackend] = ()
    hooks: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``redmine-mcp plugins --json``."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "state": "failed" if self.problem else "loaded",
            "problem": self.problem,
            "scopes": self.components.scopes,
            "tools": [tool.name for tool in self.components.tools],
            "resources": [
                *(str(resource.uri) for resource in self.components.resources),
                *(template.uri_template for template in self.components.templates),
            ],
            "prompts": [prompt.name for prompt in self.components.prompts],
            "token_stores": [scheme for store in self.token_stores for scheme in store.schemes],
            "hooks": list(self.hooks),
        }


class Plugins:
    """The loaded plugins, and the calling of their hooks."""

    def __init__(self, metrics_of: MetricsOf | None = None) -> None:
        self._metrics_of = metrics_of
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._claims: dict[str, str] = {}
        self.reports: list[PluginReport] = []
        """The installed plugins by name; the host's own are not among them."""
        self._loaded: list[PluginReport] = []

    @classmethod
    def discover(
        cls,
        *,
        builtin: Iterable[tuple[str, object]] = (),
        installed: Iterable[EntryPoint] | None = None,
        required: Collection[str] = (),
        metrics_of: MetricsOf | None = None,
    ) -> Plugins:
        """Load the host's own plugins, then those ``required``, then ours, then the others.

        Each kind comes in the order of its names; of two that claim one tool, the first keeps it.
        ``metrics_of`` says where a plugin of a name may define metrics; without it none can.
        """
        plugins = cls(metrics_of)
        plugins.add(builtin)
        found = entry_points(group=GROUP) if installed is None else installed
        for entry in sorted(found, key=partial(_precedence, required)):
            distribution, version = _distribution(entry)
            report = PluginReport(entry.name, distribution, version)
            plugins._register(report, entry.load)
            plugins.reports.append(report)
        plugins.reports.sort(key=lambda report: (report.name, report.distribution))
        return plugins

    def add(self, own: Iterable[tuple[str, object]]) -> None:
        """Load plugins of the host's own, by name; they show in no report.

        Raises ``PluginProblem``: a server without one of them would lack a rule of its own.
        """
        for name, plugin in own:
            report = PluginReport(name)
            self._register(report, partial(_itself, plugin))
            if report.problem:
                raise PluginProblem(f"The host's own plugin “{name}”: {report.problem}")

    def _register(self, report: PluginReport, load: Callable[[], object]) -> None:
        earlier = self._manager.get_plugin(report.name)
        try:
            plugin = self._load(report.name, load)
            report.hooks = list(self._hooks(plugin))
            self._collect(report)
        except PluginProblem as problem:
            report.problem = str(problem)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            report.problem = f"It fails to load: {_describe(error)}"
        if report.problem is None:
            self._loaded.append(report)
            return
        report.components, report.token_stores = Components(), ()
        if earlier is None and self._manager.has_plugin(report.name):
            self._manager.unregister(name=report.name)
        log.warning("plugin_left_out", plugin=report.name, problem=report.problem)

    def _load(self, name: str, load: Callable[[], object]) -> object:
        plugin = load()
        declared = getattr(plugin, "api_version", None)
        if declared is None:
            raise PluginProblem(f"It declares no api_version; this host speaks {API_VERSION}.")
        if declared != API_VERSION:
            raise PluginProblem(
                f"It is written for API version {declared}, this host speaks {API_VERSION}: "
                f"install a release of it that fits redmine-mcp-core."
            )
        if self._manager.has_plugin(name):
            by = (report.distribution for report in self._loaded if report.name == name)
            package = next(by, "") or "The host itself"
            raise PluginProblem(f"{package} already provides a plugin “{name}”.")
        self._check_hooks(plugin)
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            described = " ".join(str(error).split())
            raise PluginProblem(f"It has a hook that pluggy refuses: {described}") from error
        return plugin

    def _check_hooks(self, plugin: object) -> None:
        """Refuse what the host could not call, in words that pluggy has not."""
        known = [name for name, hook in vars(self._manager.hook).items() if hook.has_spec()]
        for attribute in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                continue
            name = options["specname"] or attribute
            if name not in known:
                if options["optionalhook"]:  # it is for another version of the host
                    continue
                raise PluginProblem(
                    f"The host knows no hook {name}. There are: {', '.join(sorted(known))}."
                )
            passed = inspect.signature(getattr(hookspecs, name)).parameters
            asked = inspect.signature(getattr(plugin, attribute)).parameters.values()
            if strange := [each.name for each in asked if _is_needed(each, passed)]:
                raise PluginProblem(
                    f"Its hook {name} asks for {', '.join(strange)}; "
                    f"the host passes{': ' if passed else ' '}{', '.join(passed) or 'nothing'}."
                )

    def _hooks(self, plugin: object) -> Iterator[str]:
        """The hooks of a plugin. One that nobody would await is refused: it would never run."""
        for caller in self._manager.get_hookcallers(plugin) or ():
            implementations = (i for i in caller.get_hookimpls() if i.plugin is plugin)
            if caller.name not in AWAITED and any(
                inspect.iscoroutinefunction(i.function) for i in implementations
            ):
                raise PluginProblem(
                    f"Its hook {caller.name} is async, which the host cannot await."
                )
            yield caller.name

    def _collect(self, report: PluginReport) -> None:
        components = Components()
        if self._metrics_of and "register_metrics" in report.hooks:
            self._call_one(report.name, "register_metrics", metrics=self._metrics_of(report.name))
        self._call_one(report.name, "register_components", components=components)
        claims: dict[str, str] = {}
        for claim in _claims(components):
            if owner := self._claims.get(claim) or claims.get(claim):
                raise PluginProblem(f"“{report.name}” claims the {claim}, which “{owner}” has.")
            claims[claim] = report.name
        stores: Sequence[TokenStoreBackend] = (
            self._call_one(report.name, "register_token_stores") or ()
        )
        self._claims.update(claims)
        report.components, report.token_stores = components, stores

    def _call_one(self, name: str, hook: str, **arguments: Any) -> Any:
        """One hook of one plugin; None if it does not have that hook.

        Never all at once: in pluggy one raising implementation loses the results of the others.
        """
        plugin = self._manager.get_plugin(name)
        others = [other for _, other in self._manager.list_name_plugin() if other is not plugin]
        caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
        results = caller(**arguments)
        return results[0] if results else None

    def _with_hook(self, hook: str) -> Iterator[str]:
        return (report.name for report in self._loaded if hook in report.hooks)

    @property
    def components(self) -> Components:
        """Everything that the loaded plugins contribute."""
        everything = Components()
        for report in self._loaded:
            everything.include(report.components)
        return everything

    @property
    def token_stores(self) -> list[TokenStoreBackend]:
        return [store for report in self._loaded for store in report.token_stores]

    @property
    def problems(self) -> dict[str, str]:
        """Why plugins were left out, by name."""
        return {report.name: report.problem for report in self.reports if report.problem}

    def missing(self, required: Iterable[str]) -> dict[str, str]:
        """Of these plugins, those that do not work, with the reason or what to install."""
        loaded = {report.name for report in self._loaded}
        return {
            name: self.problems.get(name, f"it is not installed: pip install {package_of(name)}")
            for name in required
            if name not in loaded
        }

    def before_tool_call(self, call: ToolCall) -> None:
        """Ask each plugin whether the call may run; the first ``Refusal`` decides.

        A plugin that fails here refuses: a rule that cannot be asked is not a rule that allows.
        """
        for name in self._with_hook("before_tool_call"):
            self._call_one(name, "before_tool_call", call=call)

    def emit(self, event: Event) -> None:
        """Tell every plugin; one that raises is logged and harms nobody."""
        for name in self._with_hook("on_event"):
            try:
                self._call_one(name, "on_event", event=event)
            except Exception as error:  # noqa: BLE001
                log.warning("hook_failed", plugin=name, hook="on_event", error=described(error))

    async def check_health(self) -> list[HealthReport]:
        """Each plugin's own report; a check that raises or hangs is a report of ill health."""

        async def ask(name: str) -> HealthReport:
            try:
                async with asyncio.timeout(HEALTH_SECONDS):
                    report: HealthReport = await self._call_one(name, "check_health")
            except TimeoutError:
                message = f"no answer within {HEALTH_SECONDS:g} seconds"
                return HealthReport(name, healthy=False, message=message)
            except Exception as error:  # noqa: BLE001
                return HealthReport(name, healthy=False, message=_describe(error))
            return report

        return await asyncio.gather(*map(ask, self._with_hook("check_health")))

    def demo(self) -> DemoRedmine | None:
        """The first demo Redmine on offer."""
        offers = (self._call_one(name, "offer_demo") for name in self._with_hook("offer_demo"))
        return next((offer for offer in offers if offer), None)


def package_of(plugin: str) -> str:
    """The name of the distribution that our own plugin of this name comes in."""
    return f"redmine-mcp-{plugin.replace('_', '-')}"


def _itself(plugin: object) -> object:
    return plugin


def _precedence(required: Collection[str], entry: EntryPoint) -> tuple[bool, bool, str, str]:
    """Whoever runs the server decides; a package installed beside ours takes nothing from them."""
    distribution, _ = _distribution(entry)
    ours = entry.name in OURS and distribution == package_of(entry.name)
    return entry.name not in required, not ours, entry.name, distribution


def _is_needed(parameter: inspect.Parameter, passed: Collection[str]) -> bool:
    """Whether a call without this parameter fails, though the host does not pass it."""
    fills_itself = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return (
        not fills_itself and parameter.default is parameter.empty and parameter.name not in passed
    )


def _claims(components: Components) -> Iterator[str]:
    yield from (f"tool {tool.name}" for tool in components.tools)
    yield from (f"resource {resource.uri}" for resource in components.resources)
    yield from (f"resource {template.uri_template}" for template in components.templates)
    yield from (f"prompt {prompt.name}" for prompt in components.prompts)


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("", "")


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
