-- What one HMGET tells of a cart: header, this change's record, one line. Nil and the bad field if unreadable.
-- What most changes leave as it is, or only count on, stays text: now, version, records (lanes|keys|swept; see
-- make_room), life (its time to live, after a "!" if pinned). These are sixteen fields, which a table of Lua has room
-- for without growing to twice the size; those of a state come on top.
local function read_cart(key, record_field, line_field)
  local raw = redis.pcall("HMGET", key, "v", "c", "m", "s", record_field, line_field)
  if raw.err then return nil, "type" end
  local time = redis.call("TIME")
  local now = time[1] .. string.sub("00000" .. time[2], -6, -4)
  local v, c, m, state = raw[1], raw[2], raw[3], raw[4]
  if not m then
    if v or c or redis.call("EXISTS", key) == 1 then return nil, "m" end
    return { now = now, version = "0", records = "0|0|" .. now }
  end

  local version, records = string.match(v or "", "^(%d+)|[%w_-]+|%d+|(%d+|%d+|%d+)$")
  if not version then return nil, "v" end
  local currency, life = string.match(m, "^1|[%w_-]+|(%u%u%u)|%d+|(!?%d+)$")
  if not currency then return nil, "m" end
  local lines, quantity, units, nanos, position =
    string.match(c or "", "^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$")
  if not lines then
    if state ~= "gone" then return nil, "c" end
    lines, quantity, units, nanos, position = 0, 0, 0, 0, 0
  end
  local cart = {
    now = now, alive = true, v = v, c = c, m = m,
    version = version, records = records, currency = currency, life = life,
    lines = lines + 0, quantity = quantity + 0, units = units + 0, nanos = nanos + 0, position = position + 0,
    record = raw[5], line = raw[6],
  }
  if state then
    local status, a, b, d = string.match(state, "^(%l+)|?([^|]*)|?([^|]*)|?([^|]*)$")
    local known = status == "gone" or status == "locked" or status == "merging" or status == "merged"
    if not known or (status == "locked" and not tonumber(b)) then return nil, "s" end
    cart.s, cart.stored_s, cart.status, cart.alive = state, state, status, status ~= "gone"
    cart.hold, cart.deadline, cart.policy, cart.target = a, tonumber(b), b, d
    cart.keeps = status == "locked" and d == "1"
  end
  return cart
end
