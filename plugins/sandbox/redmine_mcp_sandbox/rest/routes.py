"""Which call is answered by which function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redmine_mcp_sandbox.doorkeeper import Doorkeeper
from redmine_mcp_sandbox.rest import (
    attachments,
    categories,
    groups,
    issues,
    journals,
    lists,
    memberships,
    project_writes,
    projects,
    queries,
    relations,
    search,
    time_entries,
    users,
    versions,
    watchers,
    wiki,
)
from redmine_mcp_sandbox.rest.call import Call, answer
from redmine_mcp_sandbox.rest.caller import HaltError, identify
from redmine_mcp_sandbox.world import World

Answer = Callable[[Call], dict[str, Any] | Response]

ANSWERS: dict[str, Mapping[str, Answer]] = {
    "/issues.json": {"GET": issues.index, "POST": issues.create},
    "/projects/{project_id}/issues.json": {"GET": issues.index, "POST": issues.create},
    "/issues/{id}.json": {
        "GET": issues.show,
        "PUT": issues.update,
        "DELETE": issues.destroy,
    },
    "/issues/{issue_id}/relations.json": {"GET": relations.index, "POST": relations.create},
    "/relations/{id}.json": {"GET": relations.show, "DELETE": relations.destroy},
    "/issues/{issue_id}/watchers.json": {"POST": watchers.create},
    "/issues/{issue_id}/watchers/{user_id}.json": {"DELETE": watchers.destroy},
    "/watchers.json": {"POST": watchers.create, "DELETE": watchers.destroy},
    "/journals/{id}.json": {"PUT": journals.update},
    "/attachments/{id}.json": {
        "GET": attachments.show,
        "PUT": attachments.update,
        "DELETE": attachments.destroy,
    },
    "/attachments/download/{id}": {"GET": attachments.download},
    "/attachments/download/{id}/{filename}": {"GET": attachments.download},
    "/uploads.json": {"POST": attachments.upload},
    "/search.json": {"GET": search.index},
    "/projects/{project_id}/search.json": {"GET": search.index},
    "/projects.json": {"GET": projects.index, "POST": project_writes.create},
    "/projects/{project_id}.json": {
        "GET": projects.show,
        "PUT": project_writes.update,
        "DELETE": project_writes.destroy,
    },
    "/projects/{project_id}/close.json": {
        "PUT": project_writes.close,
        "POST": project_writes.close,
    },
    "/projects/{project_id}/reopen.json": {
        "PUT": project_writes.reopen,
        "POST": project_writes.reopen,
    },
    "/projects/{project_id}/archive.json": {
        "PUT": project_writes.archive,
        "POST": project_writes.archive,
    },
    "/projects/{project_id}/unarchive.json": {
        "PUT": project_writes.unarchive,
        "POST": project_writes.unarchive,
    },
    "/projects/{project_id}/memberships.json": {
        "GET": memberships.index,
        "POST": memberships.create,
    },
    "/memberships/{id}.json": {
        "GET": memberships.show,
        "PUT": memberships.update,
        "DELETE": memberships.destroy,
    },
    "/projects/{project_id}/versions.json": {"GET": versions.index, "POST": versions.create},
    "/versions/{id}.json": {
        "GET": versions.show,
        "PUT": versions.update,
        "DELETE": versions.destroy,
    },
    "/projects/{project_id}/issue_categories.json": {
        "GET": categories.index,
        "POST": categories.create,
    },
    "/issue_categories/{id}.json": {
        "GET": categories.show,
        "PUT": categories.update,
        "DELETE": categories.destroy,
    },
    "/projects/{project_id}/wiki.json": {"GET": wiki.show},
    "/projects/{project_id}/wiki/index.json": {"GET": wiki.index},
    "/projects/{project_id}/wiki/{title}.json": {
        "GET": wiki.show,
        "PUT": wiki.update,
        "DELETE": wiki.destroy,
    },
    "/projects/{project_id}/wiki/{title}/{version:int}.json": {"GET": wiki.show},
    "/time_entries.json": {"GET": time_entries.index, "POST": time_entries.create},
    "/projects/{project_id}/time_entries.json": {
        "GET": time_entries.index,
        "POST": time_entries.create,
    },
    "/issues/{issue_id}/time_entries.json": {"POST": time_entries.create},
    "/time_entries/{id}.json": {
        "GET": time_entries.show,
        "PUT": time_entries.update,
        "DELETE": time_entries.destroy,
    },
    "/my/account.json": {"GET": users.account},
    "/users.json": {"GET": users.index},
    "/users/current.json": {"GET": users.current},
    "/users/{id}.json": {"GET": users.show},
    "/queries.json": {"GET": queries.index},
    "/groups.json": {"GET": groups.index},
    "/groups/{id}.json": {"GET": groups.show},
    "/custom_fields.json": {"GET": groups.custom_fields},
    "/roles.json": {"GET": lists.roles},
    "/roles/{id}.json": {"GET": lists.role},
    "/trackers.json": {"GET": lists.trackers},
    "/issue_statuses.json": {"GET": lists.issue_statuses},
    "/enumerations/{type}.json": {"GET": lists.enumerations},
}


def rest_routes(world: World, doorkeeper: Doorkeeper, base_url: str) -> list[Route]:
    def endpoint(by_method: Mapping[str, Answer]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            try:
                form, upload = await _body(request)
                viewer = identify(request, world, doorkeeper)
                params = request.path_params, request.query_params
                call = Call(viewer, *params, base_url, form, request.url.path, upload)
                # Redmine takes PATCH for PUT, and answers HEAD as it would GET.
                method = {"PATCH": "PUT", "HEAD": "GET"}.get(request.method, request.method)
                body = by_method[method](call)
                return body if isinstance(body, Response) else answer(body)
            except HaltError as halt:
                return halt.response

        return handle

    return [
        Route(path, endpoint(by_method), methods=[*by_method, *(["PATCH"] * ("PUT" in by_method))])
        for path, by_method in ANSWERS.items()
    ]


async def _body(request: Request) -> tuple[Mapping[str, Any], bytes | None]:
    """The body, read: as fields, or as a file.

    Raises:
        HaltError: 400, it claims to be JSON and is not.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0]
    if kind == "application/octet-stream":
        return {}, await request.body()
    if kind == "application/x-www-form-urlencoded":
        return dict((await request.form()).items()), None
    content = await request.body() if kind == "application/json" else b""
    if not content:
        return {}, None
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise HaltError(Response(status_code=400, media_type="text/html")) from error
    return fields if isinstance(fields, dict) else {"_json": fields}, None
