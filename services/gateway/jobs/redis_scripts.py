"""What the queue does in one step, in Redis. This file: what all steps share, and those of callers.

KEYS 1 to 13 are those of a tenant, of `redis_names`:

    state     hash: `submitted` counts jobs, `turns` new jobs that were begun, `erasures` erasures; `seen` is when a
              worker last looked, `last:N` the entry of queue N that was handed out last, `bytes` what payloads and
              results have, `suspect` the job that was let through last of those that may take their workers with them
    delayed   sorted set: PRIORITY:JOB of what waits for its next attempt, by the moment when it may begin
    leases    sorted set: tokens of attempts by the end of their lease; 0 where the worker gave the job back
    running   hash: the job of each token
    index     sorted set: all jobs, by the number of their submission
    expiring  sorted set: jobs that have ended, by when they are forgotten
    erased    sorted set: digests of documents that were erased while attempts ran, by the number of the erasure
    queue:N   stream: the jobs of a priority that wait, and those that run as its pending entries
    leaving   sorted set: tokens of attempts that were erased while they might write documents, by the moment when they
              can no longer; their workers take them out when they have stopped

and of a job, KEYS 14 to 17 where a script is about one:

    job       hash: see `redis_fields`; beside those: payload, digest, retention (ms), documents and subjects (digests,
              8 bytes each), entry (in the stream), token, ended (the token that its worker ended last), erasure
              (how many there had been when the attempt began), step and said (progress and time of the last event),
              bytes (of payload and results), asked (the call that put it in last), fresh (whether the attempt has
              kept a result), crashes (attempts in a row that ended with their worker and had kept none)
    results   hash: results by index
    named     hash: by index `1` where the result is an error, `2` where it is degraded, else `0`, and digests of the
              documents that it names
    events    stream: what changed

Scripts find jobs by themselves, so their keys cannot all be declared. They carry the tenant's tag, so on Redis Cluster
they lie on the node that has the declared ones. Only while a slot is being moved key by key may one be elsewhere, and
then Redis ends the script at the command that asks for it; so everything of a job is read before anything of it is
written, and no step is left half done.

Nothing here has a time to live: Redis may evict what has one, to make room for a cache. What is to be forgotten is
invisible from that moment on, and swept away by steps that come by ten minutes later: until then a listing can go on
from it.

Where the memory is full, Redis refuses a script whose first writing command may need some. A step that drains the queue
begins with one that does not, so work goes on, and frees memory; a submission is refused as a whole.

Times are milliseconds of Redis' own clock.
"""

COMMON = """
local state, delayed, leases, running, index, expiring, erased = unpack(KEYS, 1, 7)
local leaving = KEYS[13]
local base = string.sub(state, 1, -6)
local tenant = string.match(state, '{(.-)}')
local GROUP = 'workers'
local QUEUED, RUNNING, SUCCEEDED, DEAD, CANCELLED = '1', '2', '3', '4', '5'
local FIELDS = {'request', 'kind', 'state', 'priority', 'attempts', 'max_attempts', 'items', 'done', 'failed', 'error',
  'create', 'start', 'end', 'retry', 'expire', 'owner', 'degraded'}
local clock = redis.call('TIME')
local at = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function queue(priority) return KEYS[7 + priority] end
local function key(kind, id) return base .. kind .. ':' .. id end
local function view(id) return redis.call('HMGET', key('job', id), unpack(FIELDS)) end
local function draining() redis.call('HDEL', state, '-') end
local function speak(id) redis.call('PUBLISH', 'scic:signals', 'job:' .. tenant .. ':' .. id) end

local function weigh(id, more)
  redis.call('HINCRBY', key('job', id), 'bytes', more)
  redis.call('HINCRBY', state, 'bytes', more)
end

local function drop_payload(id)
  local held = redis.call('HSTRLEN', key('job', id), 'payload')
  if redis.call('HDEL', key('job', id), 'payload') == 1 then weigh(id, -held) end
end

local function lack(most, most_bytes, more)
  local bytes = tonumber(redis.call('HGET', state, 'bytes') or 0)
  if bytes + more > tonumber(most_bytes) then return 'bytes' end
  local count = redis.call('ZCARD', delayed) - redis.call('ZCARD', leases)
  for priority = 1, 5 do count = count + redis.call('XLEN', queue(priority)) end
  if count >= tonumber(most) then return 'jobs' end
end

local function say(id)
  local job = redis.call('HMGET', key('job', id), 'state', 'attempts', 'done', 'failed', 'error', 'start', 'end',
    'retry', 'expire', 'degraded')
  redis.call('XADD', key('events', id), 'MAXLEN', 256, '*', 'state', job[1], 'attempts', job[2], 'done', job[3],
    'failed', job[4], 'error', job[5], 'start', job[6], 'end', job[7], 'retry', job[8], 'expire', job[9],
    'degraded', job[10])
  redis.call('HSET', key('job', id), 'said', at)
  speak(id)
end

local function enqueue(id, priority)
  if redis.call('EXISTS', queue(priority)) == 0 then
    redis.call('XGROUP', 'CREATE', queue(priority), GROUP, '0', 'MKSTREAM')
  end
  return redis.call('XADD', queue(priority), '*', 'job', id)
end

local function leave(id)
  local job = redis.call('HMGET', key('job', id), 'priority', 'entry', 'token')
  if not job[1] then return end
  if job[2] ~= '' then
    redis.call('XACK', queue(job[1]), GROUP, job[2])
    redis.call('XDEL', queue(job[1]), job[2])
  end
  redis.call('ZREM', delayed, job[1] .. ':' .. id)
  redis.call('ZREM', leases, job[3])
  redis.call('HDEL', running, job[3])
  redis.call('HSET', key('job', id), 'entry', '', 'token', '', 'retry', '')
end

local function finish(id, ending, status)
  leave(id)
  local expire = at + redis.call('HGET', key('job', id), 'retention')
  redis.call('HSET', key('job', id), 'state', ending, 'end', at, 'expire', expire)
  if status then redis.call('HSET', key('job', id), 'error', status) end
  redis.call('ZADD', expiring, expire, id)
  say(id)
end

local function forget(id)
  local bytes = redis.call('HGET', key('job', id), 'bytes')
  if bytes then redis.call('HINCRBY', state, 'bytes', -bytes) end
  redis.call('UNLINK', key('job', id), key('results', id), key('named', id), key('events', id))
  redis.call('ZREM', index, id)
  redis.call('ZREM', expiring, id)
end

local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', at - 600000, 'LIMIT', 0, 100)) do forget(id) end
end

local function stands(id)
  local job = redis.call('HMGET', key('job', id), 'state', 'expire')
  if job[1] and not (job[2] ~= '' and tonumber(job[2]) <= at) then return job[1] end
end
"""

SUBMIT = (
    COMMON
    + """
local id, call, digest, most, most_bytes, priority, payload = unpack(ARGV, 1, 7)
if stands(id) then
  if redis.call('HGET', KEYS[14], 'asked') == call then return {'new', view(id)} end
  if redis.call('HGET', KEYS[14], 'digest') ~= digest then return {'reused'} end
  return {'there', view(id)}
end
local lacking = lack(most, most_bytes, #payload)
if lacking then return {'full', lacking} end
local entry = enqueue(id, priority)
forget(id)
redis.call('HSET', KEYS[14], 'digest', digest, 'priority', priority, 'payload', payload, 'state', QUEUED, 'attempts', 0,
  'done', 0, 'failed', 0, 'degraded', 0, 'error', '',
  'create', at, 'start', '', 'end', '', 'retry', '', 'expire', '', 'entry', entry,
  'token', '', 'ended', '', 'step', 0, 'crashes', 0, 'asked', call, unpack(ARGV, 8))
weigh(id, #payload)
redis.call('ZADD', index, redis.call('HINCRBY', state, 'submitted', 1), id)
say(id)
sweep()
return {'new', view(id)}
"""
)
"""ARGV: job, token of the call, digest, most jobs that may wait, most bytes, priority, payload, then fields and values
of the job. A client repeats a command whose connection was lost: under the same token it hears the same answer."""

GET = (
    COMMON
    + """
if not stands(ARGV[1]) then return {'none'} end
return {'job', view(ARGV[1])}
"""
)
"""ARGV: job."""

LIST = (
    COMMON
    + """
local first = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZREVRANK', index, ARGV[1])
  if not rank then return {'none'} end
  first = rank + 1
end
local page, last = {}, ''
for _, id in ipairs(redis.call('ZREVRANGE', index, first, first + ARGV[2] - 1)) do
  if stands(id) then page[#page + 1] = {id, view(id)} end
  last = id
end
return {'page', last, page}
"""
)
"""ARGV: job before the page or nothing, jobs a page."""

RESULTS = (
    COMMON
    + """
if not stands(ARGV[1]) then return {'none'} end
local places, results = {}, {}
for _, place in ipairs(redis.call('HKEYS', KEYS[16])) do
  if tonumber(place) >= tonumber(ARGV[2]) then places[#places + 1] = tonumber(place) end
end
table.sort(places)
local room = tonumber(ARGV[4])
for number = 1, math.min(#places, tonumber(ARGV[3])) do
  room = room - redis.call('HSTRLEN', KEYS[15], places[number])
  if room < 0 and number > 1 then break end
  results[number] = {places[number], redis.call('HGET', KEYS[15], places[number])}
end
return {'results', results}
"""
)
"""ARGV: job, first index, most results, most bytes: but one that is larger comes alone."""

EVENTS = (
    COMMON
    + """
local after = ARGV[2]
if not stands(ARGV[1]) then return {'none'} end
if after == '' then return {'events', view(ARGV[1]), redis.call('XRANGE', KEYS[17], '-', '+')} end
if #redis.call('XRANGE', KEYS[17], after, after) == 0 then return {'gone'} end
return {'events', view(ARGV[1]), redis.call('XRANGE', KEYS[17], '(' .. after, '+')}
"""
)
"""ARGV: job, position or nothing."""

CANCEL = (
    COMMON
    + """
local id = ARGV[1]
local before = stands(id)
if not before then return {'none'} end
if before == SUCCEEDED or before == DEAD then return {'finished'} end
draining()
if before ~= CANCELLED then finish(id, CANCELLED) end
return {'job', view(id)}
"""
)
"""ARGV: job."""

REPLAY = (
    COMMON
    + """
local id, call, most, most_bytes = unpack(ARGV)
local before = stands(id)
if not before then return {'none'} end
if redis.call('HGET', KEYS[14], 'asked') == call then return {'job', view(id)} end
local held = redis.call('HEXISTS', KEYS[14], 'payload') == 1
if not held or (before ~= DEAD and before ~= CANCELLED) then return {'refused'} end
local lacking = lack(most, most_bytes, 0)
if lacking then return {'full', lacking} end
local entry = enqueue(id, redis.call('HGET', KEYS[14], 'priority'))
redis.call('HSET', KEYS[14], 'state', QUEUED, 'attempts', 0, 'error', '', 'start', '', 'end', '', 'expire', '', 'entry',
  entry, 'crashes', 0, 'asked', call)
redis.call('ZREM', expiring, id)
say(id)
return {'job', view(id)}
"""
)
"""ARGV: job, token of the call, most jobs that may wait, most bytes."""
