"""Look-ups of names that strangers wrote, apart from all others.

A client ID may be anybody's address, and its name can be made to take long. Looking one up holds a
thread that cannot be called back, and asyncio has half a dozen for all look-ups of the process,
Redmine's and the token store's among them.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from threading import BoundedSemaphore, Thread

from fastmcp.server.auth.ssrf import SSRFError, SSRFFetchError
from starlette.exceptions import HTTPException

AT_ONCE = 64
"""Look-ups under way in one process. Each is one thread, for as long as the resolver takes."""
SECONDS = 5.0
"""How long anybody waits for one."""
PORT = 443
"""The only port that documents and keys are fetched from: we try out no ports for anybody."""
RETRY_AFTER = 10

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_free = BoundedSemaphore(AT_ONCE)


async def look_up(host: str, port: int = PORT) -> list[str]:
    """The addresses of a host, each once.

    Raises: ``SSRFError``, which makes a client unknown, for a name that there is not and for
    another port; ``SSRFFetchError`` if that is not known in time; ``HTTPException`` 503 if too many
    look-ups are under way.
    """
    if port != PORT:
        raise SSRFError(f"Port {port} is not asked.")
    if not _free.acquire(blocking=False):
        raise _too_many()
    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()
    # Not of a pool: the end of the process would wait for its threads.
    thread = Thread(target=_look_up, args=(host, found), name="name-lookup", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads
        _free.release()
        raise _too_many() from None
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.wrap_future(found)
    except UnicodeError as error:
        raise SSRFError("The host has no name that could be looked up.") from error
    except OSError as error:  # a time-out is one
        is_none = error.errno in _NO_SUCH_NAME
        raise (SSRFError if is_none else SSRFFetchError)("The host was not found.") from error


def _too_many() -> HTTPException:
    return HTTPException(503, headers={"Retry-After": str(RETRY_AFTER)})


def _look_up(host: str, found: Future[list[str]]) -> None:
    try:
        answers = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
        found.set_result(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
    except (OSError, UnicodeError) as error:
        found.set_exception(error)
    finally:
        _free.release()
