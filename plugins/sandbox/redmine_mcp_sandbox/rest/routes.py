"""Which path is answered by which function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redmine_mcp_sandbox.doorkeeper import Doorkeeper
from redmine_mcp_sandbox.rest import issues, lists, projects, search, users
from redmine_mcp_sandbox.rest.call import Call, answer
from redmine_mcp_sandbox.rest.caller import HaltError, identify
from redmine_mcp_sandbox.world import World

Answer = Callable[[Call], dict[str, Any]]

ANSWERS: dict[str, Answer] = {
    "/issues.json": issues.index,
    "/projects/{project_id}/issues.json": issues.index,
    "/issues/{id}.json": issues.show,
    "/search.json": search.index,
    "/projects/{project_id}/search.json": search.index,
    "/projects.json": projects.index,
    "/projects/{project_id}.json": projects.show,
    "/my/account.json": users.account,
    "/users/current.json": users.current,
    "/users/{id}.json": users.show,
    "/trackers.json": lists.trackers,
    "/issue_statuses.json": lists.issue_statuses,
    "/enumerations/{type}.json": lists.enumerations,
}


def rest_routes(world: World, doorkeeper: Doorkeeper, base_url: str) -> list[Route]:
    def endpoint(respond: Answer) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            try:
                viewer = identify(request, world, doorkeeper)
                call = Call(viewer, request.path_params, request.query_params, base_url)
                return answer(respond(call))
            except HaltError as halt:
                return halt.response

        return handle

    return [Route(path, endpoint(respond), methods=["GET"]) for path, respond in ANSWERS.items()]
