-- The reply to an accepted change: header and touched line, or all fields, as names and values.
local function answer(key, cart, want_cart, replayed, line_field, line)
  -- A repeat writes the version as it is, so that a WAIT after it waits for the change itself. Who may not write
  -- is no primary any more, and says so; a full memory alone does not keep a repeat from its answer.
  if replayed == "1" then
    local written = redis.pcall("HSET", key, "v", cart.v)
    if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  end
  if want_cart == "1" then return { "ok", replayed, redis.call("HGETALL", key) } end
  return { "ok", replayed, {
    "v", cart.v or "", "c", cart.c or "", "m", cart.m or "", "s", cart.s or "", line_field, line or "",
  } }
end
