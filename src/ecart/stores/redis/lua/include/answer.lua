-- The reply to an accepted change: header and touched line, or the names and values of all fields.
local function answer(key, cart, want_cart, replayed, line)
  -- A repeat writes the version as it is, so that a WAIT after it waits for the change itself. Who may not write
  -- is no primary any more, and says so; a full memory alone does not keep a repeat from its answer.
  if replayed == "1" then
    local written = redis.pcall("HSET", key, "v", cart.v)
    if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  end
  if want_cart == "1" then return { "ok", replayed, redis.call("HGETALL", key) } end
  return { "ok", replayed, cart.v or "", cart.c or "", cart.m or "", cart.s or "", line or "" }
end
