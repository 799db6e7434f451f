"""What one command of Redis cannot do, in Lua: Redis carries a script out whole, or not at all.

All keys of one call are in one slot of a cluster. None of the scripts needs Redis newer than 6.2.
"""

from __future__ import annotations

READ = """
local answers = {}
for i, key in ipairs(KEYS) do
  answers[2 * i - 1] = redis.call('GET', key)
  answers[2 * i] = redis.call('PTTL', key)
end
return answers
"""
"""Values and milliseconds left by turns; PTTL answers -1 for an entry that stays, -2 for none."""

WRITE = """
for i, key in ipairs(KEYS) do
  if ARGV[2 * i] == '' then
    redis.call('SET', key, ARGV[2 * i - 1])
  else
    redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i])
  end
end
"""
"""ARGV: values and milliseconds by turns, no milliseconds for an entry that stays."""

TAKE = """
local taken = {}
for _, key in ipairs(KEYS) do
  local text = redis.call('GETDEL', key)
  if text then taken[#taken + 1] = text end
end
return taken
"""

REPLACE = """
local replaced = 0
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[2 * i - 1] then
    redis.call('SET', key, ARGV[2 * i], 'KEEPTTL')
    replaced = replaced + 1
  end
end
return replaced
"""
"""ARGV: old and new values by turns."""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""

LOCK = f"""{_NOW}
local lock = redis.call('HMGET', KEYS[1], 'owner', 'until', 'fence')
local fence = tonumber(lock[3] or 0)
if lock[1] and tonumber(lock[2]) > now then
  if lock[1] ~= ARGV[1] then return false end
else
  fence = math.max(fence + 1, now)
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1],
  'until', string.format('%.0f', now + ARGV[2] * 1000), 'fence', string.format('%.0f', fence))
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
return fence
"""
"""ARGV: owner, milliseconds to hold, milliseconds to remember the fence beyond.

The fence is the time of day, or one more than the last one where the clock was put back. So it
grows on even where a failover or an empty restart has forgotten the last one. In microseconds it
is below 2**53, where Lua's numbers are exact, until the year 2255.
"""

UNLOCK = f"""{_NOW}
local lock = redis.call('HMGET', KEYS[1], 'owner', 'until')
if lock[1] ~= ARGV[1] or tonumber(lock[2]) <= now then return 0 end
return redis.call('HDEL', KEYS[1], 'owner', 'until') > 0 and 1 or 0
"""

COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count
"""
"""ARGV: what to add, the window in milliseconds."""
