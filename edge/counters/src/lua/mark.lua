-- Notes since when Redis has stood, where it does not know; tells it.
--
-- KEYS: the mark. ARGV: now in ms or ''.

redis.call('SET', KEYS[1], whole(clock(ARGV[1])), 'NX')
return tonumber(redis.call('GET', KEYS[1]))
