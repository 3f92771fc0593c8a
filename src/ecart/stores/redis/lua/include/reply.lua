-- Ends a script that refused nothing with its reply: mark, v, c, m, s and `shown`, in lines.
-- Takes: mark, "1" for a repeat, "2" where the epoch that the change brought was used, else "0"; shown, the line that
-- was touched, or what a merge did, or "". Where want_cart is "1": a table of mark, all names and values, and `shown`.
local function reply(key, want_cart, mark, v, c, m, s, shown)
  if mark == "1" then
    -- The version is written as it is, so that a WAIT after it waits for the change itself. An engine that became a
    -- replica refuses that write, and the refusal is the reply; a full memory alone does not keep a repeat from it.
    local written = redis.pcall("HSET", key, "v", v)
    if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  end
  if want_cart == "1" then return { mark, redis.call("HGETALL", key), shown } end
  return mark .. "\n" .. (v or "") .. "\n" .. (c or "") .. "\n" .. (m or "") .. "\n" .. (s or "") .. "\n" .. shown
end
