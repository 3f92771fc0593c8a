-- Deletes fields, in pieces: Lua unpacks a limited number of values.
local function delete_fields(key, names)
  for i = 1, #names, 1000 do
    redis.call("HDEL", key, unpack(names, i, math.min(i + 999, #names)))
  end
end

-- Deletes all lines of a cart.
local function delete_lines(key)
  local lines = {}
  for _, name in ipairs(redis.call("HKEYS", key)) do
    if string.sub(name, 1, 1) == ":" then lines[#lines + 1] = name end
  end
  delete_fields(key, lines)
end
