-- Takes an owner's word for how many slots of each count are its own.
--
-- KEYS: one for each count. ARGV: now in ms or '', owner, its turn, then two for each count: the number, and '1' when it may
-- be more. What was said after it, or is this come twice, stands: then the number is only kept. Replies how many are its own then.

local now, owner, turn = clock(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local reply = {}
for i = 1, #KEYS do
  local number, at_least = tonumber(ARGV[2 * i + 2]), ARGV[2 * i + 3] == '1'
  local owners = owners_of(KEYS[i])
  local before = owned(owners, owner, now)
  if owners[owner] and owners[owner].turn >= turn then
    number = before
  elseif at_least then
    number = math.max(number, before)
  end
  own(KEYS[i], owners, owner, number, turn, now)
  reply[i] = number
end
return reply
