-- Holds those reservations that are still held until a lease from now.
--
-- KEYS: held, due. ARGV: now in ms or '', lease in ms, then request ids. Replies how many were renewed.

local held, due = KEYS[1], KEYS[2]
local until_then = clock(ARGV[1]) + tonumber(ARGV[2])
local found = redis.call('HMGET', held, unpack(ARGV, 3))
local renewed = 0
for i = 1, #found do
  if found[i] and found[i] ~= '' then
    hold(held, due, ARGV[i + 2], found[i], until_then)
    renewed = renewed + 1
  end
end
return renewed
