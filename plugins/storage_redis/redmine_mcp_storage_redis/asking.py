"""One command to Redis and its answer, and for what must not be lost, that replicas have it.

Redis answers a write before its replicas have it, so a failover can lose what was acknowledged.
``WAIT`` counts the replicas that have what its own connection wrote, so it goes out behind the
write, in one packet on one connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import exceptions
from redis.asyncio import Redis

from redmine_mcp_storage_redis.connecting import Client
from redmine_mcp_storage_redis.errors import TooFewCopies


@dataclass(frozen=True, slots=True)
class Copies:
    """How many replicas must have a write before it counts as done; 0 asks nobody."""

    wanted: int = 0
    milliseconds: int = 1000
    """How long they may take."""


NO_COPIES = Copies()


async def ask(client: Client, command: tuple[Any, ...], key: str, copies: Copies) -> Any:
    """Send a command and return the answer; ``key`` is one that it is about.

    Raises ``TooFewCopies`` if too few replicas have the write in time. The primary has it all the
    same then, as it may have after an answer that was lost.
    """
    if not copies.wanted:
        return await client.execute_command(*command)
    wait = ("WAIT", copies.wanted, copies.milliseconds)
    if isinstance(client, Redis):
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*command)
        pipeline.execute_command(*wait)
        answers = await pipeline.execute(raise_on_error=False)
    else:
        answers = await _ask_cluster(client, command, key, wait)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    answer, copied = answers
    if copied < copies.wanted:
        raise TooFewCopies
    return answer


async def _ask_cluster(client: Any, command: tuple[Any, ...], key: str, wait: Any) -> list[Any]:
    await client.initialize()
    node = client.get_node_from_key(key)
    pipeline = client.pipeline()
    for each in (command, wait):
        pipeline.execute_command(*each, target_nodes=[node])
    try:
        # A write that another node would take over must not part from its WAIT.
        answers: list[Any] = await pipeline.execute(raise_on_error=False, allow_redirections=False)
    except (exceptions.ConnectionError, exceptions.TimeoutError):
        await client.aclose()
        raise
    if isinstance(answers[0], exceptions.RedisError):
        # Unlike a single command, a pipeline does not ask anew who has which slots. This does.
        await client.aclose()
    return answers
