-- Notes since when Redis has stood, where it does not know; tells it.
--
-- KEYS: the mark, of an organization or of all. ARGV: now in ms or ''.

local since = tonumber(redis.call('GET', KEYS[1]) or nil) or all_stand_since()
if not since then
  since = clock(ARGV[1])
  redis.call('SET', KEYS[1], whole(since))
end
return since
