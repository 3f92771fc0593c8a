-- The bytes of a line that count against the limit of a cart: its field's name, and what stands behind its numbers.
local function line_bytes(field, text)
  return #field + #(string.match(text, "^%d*|[%d%.]*|%d*|(.*)$") or text)
end

-- The bytes of all lines of a cart. Changes count along; this is for carts that an older version has changed.
local function sum_bytes(key)
  local all, bytes = redis.call("HGETALL", key), 0
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == ":" then bytes = bytes + line_bytes(all[i], all[i + 1]) end
  end
  return bytes
end
