-- Ends the script with its reply: the refusal; else a mark, the header's fields and what is `shown`, or all fields.
-- The mark is "1" for a repeat, "2" where the epoch that the change brought was used, else "0". Shown is the touched
-- line, or what a merge did. All in lines; whoever wants the whole cart is given a table of the mark, names and values,
-- and that.
if verdict ~= "new" and verdict ~= "replayed" then return verdict end
local mark = born and "2" or "0"
if verdict == "replayed" then
  -- The version is written as it is, so that a WAIT after it waits for the change itself. Who may not write is no
  -- primary any more, and says so; a full memory alone does not keep a repeat from its answer.
  local written = redis.pcall("HSET", key, "v", v)
  if type(written) == "table" and written.err and not string.find(written.err, "OOM", 1, true) then return written end
  mark, shown = "1", line_text or shown
end
if want_cart == "1" then return { mark, redis.call("HGETALL", key), shown } end
return mark .. "\n" .. (v or "") .. "\n" .. (c or "") .. "\n" .. (m or "") .. "\n" .. (state or "") .. "\n" .. shown
