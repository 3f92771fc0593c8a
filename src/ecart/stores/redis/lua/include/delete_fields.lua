-- Deletes fields, in pieces: Lua unpacks a limited number of values.
local function delete_fields(key, names)
  for i = 1, #names, 1000 do
    redis.call("HDEL", key, unpack(names, i, math.min(i + 999, #names)))
  end
end

-- Deletes all lines of a cart; `and_other`: also the fields of kinds that this version does not know.
local function delete_lines(key, and_other)
  local names = {}
  for _, name in ipairs(redis.call("HKEYS", key)) do
    local kind = string.sub(name, 1, 1)
    local is_header = #name == 1 and string.find("vcmsb", name, 1, true)
    local is_other = not is_header and not string.find(":!~#&", kind, 1, true)
    if kind == ":" or and_other and is_other then names[#names + 1] = name end
  end
  delete_fields(key, names)
end
