-- The reply to an accepted change: a mark, the header's four fields and what is `shown`, in lines; or all fields.
-- The mark is "1" for a repeat, "2" where the epoch that the change brought was used, else "0". Shown is the touched
-- line, or what a merge did. Whoever wants the whole cart is given a table of the mark, names and values, and that.
local function answer(key, cart, want_cart, replayed, shown)
  -- A repeat writes the version as it is, so that a WAIT after it waits for the change itself. Who may not write
  -- is no primary any more, and says so; a full memory alone does not keep a repeat from its answer.
  if replayed == "1" then
    local written = redis.pcall("HSET", key, "v", cart.v)
    if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  end
  local mark = replayed == "0" and cart.epoch and "2" or replayed
  if want_cart == "1" then return { mark, redis.call("HGETALL", key), shown or "" } end
  return mark .. "\n" .. (cart.v or "") .. "\n" .. (cart.c or "") .. "\n" .. (cart.m or "") .. "\n" .. (cart.s or "")
    .. "\n" .. (shown or "")
end
