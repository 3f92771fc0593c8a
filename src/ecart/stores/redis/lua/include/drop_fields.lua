-- Deletes every field of a kind: ":" lines, "!" what check-out saw of them.
local function drop_fields(key, kind)
  local dropped = {}
  for _, field in ipairs(redis.call("HKEYS", key)) do
    if string.sub(field, 1, 1) == kind then dropped[#dropped + 1] = field end
  end
  for i = 1, #dropped, 1000 do
    redis.call("HDEL", key, unpack(dropped, i, math.min(i + 999, #dropped)))
  end
end
