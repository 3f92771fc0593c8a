-- The reply to an accepted change: header and touched line, or all fields, as names and values.
local function answer(key, cart, want_cart, replayed, line_field, line)
  -- A repeat writes the version as it is, so that a WAIT after it waits for the change itself.
  if replayed == "1" then redis.pcall("HSET", key, "v", cart.v) end
  if want_cart == "1" then return { "ok", replayed, redis.call("HGETALL", key) } end
  return { "ok", replayed, {
    "v", cart.v or "", "c", cart.c or "", "m", cart.m or "", "s", cart.s or "", line_field, line or "",
  } }
end
