-- Deletes a cart of E-Cart 1.0 if it still holds exactly what was seen. The tail: field, value.
local key = KEYS[1]
local count = unpack(ARGV, 1, 1)

local has, seen = redis.call("HGETALL", key), {}
for i = 2, #ARGV, 2 do seen[ARGV[i]] = ARGV[i + 1] end
if #has ~= 2 * count then return { "ok", "changed" } end
for i = 1, #has, 2 do
  if seen[has[i]] ~= has[i + 1] then return { "ok", "changed" } end
end
redis.call("DEL", key)
return { "ok", "deleted" }
