-- The reply to an accepted change: header and touched line, or the names and values of all fields.
-- Before them stands "1" for a repeat, "2" where the epoch that the change brought was used, else "0".
local function answer(key, cart, want_cart, replayed, line)
  -- A repeat writes the version as it is, so that a WAIT after it waits for the change itself. Who may not write
  -- is no primary any more, and says so; a full memory alone does not keep a repeat from its answer.
  if replayed == "1" then
    local written = redis.pcall("HSET", key, "v", cart.v)
    if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  end
  local mark = replayed == "0" and cart.epoch and "2" or replayed
  if want_cart == "1" then return { "ok", mark, redis.call("HGETALL", key) } end
  return { "ok", mark, cart.v or "", cart.c or "", cart.m or "", cart.s or "", line or "" }
end
