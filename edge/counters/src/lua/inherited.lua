-- Takes somebody's word that these bequests are taken care of: nobody is given them again. Saying it twice is saying it once.
--
-- KEYS: held, due. ARGV: now in ms or '', then request ids. Replies how many of them had not been.

local held, due = KEYS[1], KEYS[2]
local until_then = clock(ARGV[1]) + LATE_KEEP_MS
local found = redis.call('HMGET', held, unpack(ARGV, 2))
local inherited = 0
for i = 1, #found do
  if found[i] and sub(found[i], 1, 1) == 'P' then
    hold(held, due, ARGV[i + 1], 'S' .. sub(found[i], 2), until_then)
    inherited = inherited + 1
  end
end
return inherited
