-- What one HMGET tells of a cart: its header, this change's record, and the line of the field `touched`, "" for none.
-- What most changes leave as it is, or only count on, stays text: now, version, records (lanes|keys|swept; see
-- make_room), life (its time to live, after a "!" if pinned). All of it is in locals: see decision 41.
local raw = redis.pcall("HMGET", key, "v", "c", "m", "s", record, touched)
if raw.err then return { "corrupt_cart", "type" } end
local time = redis.call("TIME")
local now = time[1] .. string.sub("00000" .. time[2], -6, -4)
local v, c, m, stored_state, recorded, line_text = unpack(raw)
local alive, version, records, cart_currency, life = false, "0", nil, nil, nil
local line_count, total_quantity, units, nanos, last_position = 0, 0, 0, 0, 0
local state, status, holder, deadline_or_policy, keeps_or_target, keeps = stored_state, nil, nil, nil, nil, false
-- What a change may set: that it used the epoch it brought, that `m` is to be written anew, what its record notes, after
-- how many milliseconds its state ends, that the lines go, what the reply shows.
local born, renew, note, ends_in, drops_lines, shown = false, false, "", nil, false, ""

if m then
  version, records = string.match(v or "", "^(%d+)|[%w_-]+|%d+|(%d+|%d+|%d+)$")
  if not version then return { "corrupt_cart", "v" } end
  cart_currency, life = string.match(m, "^1|[%w_-]+|(%u%u%u)|%d+|(!?%d+)$")
  if not cart_currency then return { "corrupt_cart", "m" } end
  local lines, quantity, whole, billionths, position = string.match(c or "", "^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$")
  if lines then
    line_count, total_quantity, units, nanos, last_position =
      lines + 0, quantity + 0, whole + 0, billionths + 0, position + 0
  elseif stored_state ~= "gone" then
    return { "corrupt_cart", "c" }
  end
  alive = true
  if stored_state then
    status, holder, deadline_or_policy, keeps_or_target =
      string.match(stored_state, "^(%l+)|?([^|]*)|?([^|]*)|?([^|]*)$")
    local known = status == "gone" or status == "locked" or status == "merging" or status == "merged"
    if not known or (status == "locked" and not tonumber(deadline_or_policy)) then
      return { "corrupt_cart", "s" }
    end
    alive, keeps = status ~= "gone", status == "locked" and keeps_or_target == "1"
  end
elseif v or c or redis.call("EXISTS", key) == 1 then
  return { "corrupt_cart", "m" }
else
  records = "0|0|" .. now
end
