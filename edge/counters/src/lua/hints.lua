-- Takes what an edge says of an organization's targets, and tells all that is said of them.
--
-- KEYS: the words, a sorted set by when each is over. ARGV: now in ms or '', then three for each word: 's' to say it or 'r' to take
-- it back, itself, and for how long it holds in ms. Of two times the later one counts. Replies two for each word that holds: itself,
-- and for how much longer in ms. The set is gone when the last of its words is over.

-- How many words are kept of one organization.
-- Full: a new one is not taken; others then find out for themselves.
local HINTS_MAX = 2048

local key, now = KEYS[1], clock(ARGV[1])
if #ARGV > 1 then
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  for i = 2, #ARGV, 3 do
    local word, over = ARGV[i + 1], now + tonumber(ARGV[i + 2])
    if ARGV[i] == 'r' then
      redis.call('ZREM', key, word)
    else
      local stands = tonumber(redis.call('ZSCORE', key, word) or nil)
      if stands and stands < over or not stands and redis.call('ZCARD', key) < HINTS_MAX then
        redis.call('ZADD', key, whole(over), word)
      end
    end
  end
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIRE', key, whole(math.max(tonumber(last) - now, 1)))
  end
end
local words = redis.call('ZRANGEBYSCORE', key, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, HINTS_MAX)
for i = 2, #words, 2 do
  words[i] = tonumber(words[i]) - now
end
return words
