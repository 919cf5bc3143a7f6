-- Holds those reservations that are still held until a lease from now. One that was charged because its lease ended stays so, and
-- can be settled for as long as if it had ended now.
--
-- KEYS: held, due. ARGV: now in ms or '', lease in ms, then request ids. Replies how many were renewed.

local held, due = KEYS[1], KEYS[2]
local now = clock(ARGV[1])
local until_then = now + tonumber(ARGV[2])
local found = redis.call('HMGET', held, unpack(ARGV, 3))
local renewed = 0
for i = 1, #found do
  if found[i] and found[i] ~= '' then
    local kind = sub(found[i], 1, 1)
    if kind == 'S' then
      hold(held, due, ARGV[i + 2], found[i], now + LATE_KEEP_MS)
    elseif kind ~= 'P' then
      hold(held, due, ARGV[i + 2], found[i], until_then)
    end
    renewed = renewed + 1
  end
end
return renewed
