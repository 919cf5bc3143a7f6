-- Holds room in every limit, or in none: two passes, and a denial writes nothing at all.
--
-- KEYS: held, due, then one for each limit, which ends in the limit's id.
-- ARGV: now in ms or '', request id, lease in ms, then four for each limit (see `line`).
-- Replies {1, expired, remaining...} or {0, 0, tightest, retry_after_ms, remaining...}.

local held, due, id = KEYS[1], KEYS[2], ARGV[2]
local now = clock(ARGV[1])

local before = redis.call('HGET', held, id)
if before and before ~= '' then
  local reply = { 1, 0 }
  for remaining in string.gmatch(before, '%x+ %d+ (%-?%d+)') do
    reply[#reply + 1] = tonumber(remaining)
  end
  return reply
end

local texts = redis.call('MGET', unpack(KEYS, 3))
local rates, buckets, tightest, longest_ms = {}, {}, 0, 0
for i = 1, #texts do
  rates[i] = line(4 * i)
  buckets[i] = refilled(texts[i], rates[i], now)
  local wait = wait_ms(buckets[i], rates[i], now)
  if wait > longest_ms then
    tightest, longest_ms = i, wait
  end
end

local reply = { 1, 0 }
if longest_ms > 0 and not before then
  reply = { 0, 0, tightest - 1, longest_ms }
end
if longest_ms > 0 or before then
  for i = 1, #buckets do
    reply[#reply + 1] = buckets[i].level
  end
  return reply
end

local holds = {}
for i = 1, #buckets do
  keep(KEYS[i + 2], buckets[i], rates[i], -rates[i].asked, now)
  reply[#reply + 1] = buckets[i].level
  holds[i] = string.sub(KEYS[i + 2], -32)
    .. ' ' .. whole(rates[i].asked) .. ' ' .. whole(buckets[i].level)
end
hold(held, due, id, table.concat(holds, ' '), now + tonumber(ARGV[3]))
reply[2] = reap(held, due, now)
return reply
