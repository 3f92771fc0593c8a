-- What one HMGET tells of a cart: header, this change's record, one line. Nil and the bad field if unreadable.
-- What most changes leave as it is stays text: created, pinned, ttl, and lanes, keys, swept (see make_room).
local function read_cart(key, record_field, line_field)
  local raw = redis.pcall("HMGET", key, "v", "c", "m", "s", record_field, line_field)
  if raw.err then return nil, "type" end
  local time = redis.call("TIME")
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local v, c, m, state = raw[1], raw[2], raw[3], raw[4]
  if not m then
    if v or c or redis.call("EXISTS", key) == 1 then return nil, "m" end
    return {
      now = now, version = 0, epoch = "", digest = "", status = "open",
      lanes = "0", keys = "0", swept = string.format("%.0f", now),
    }
  end

  local version, digest, updated, lanes, keys, swept =
    string.match(v or "", "^(%d+)|([%w_-]+)|(%d+)|(%d+)|(%d+)|(%d+)$")
  if not version then return nil, "v" end
  local epoch, currency, created, pinned, ttl =
    string.match(m, "^1|([%w_-]+)|(%u%u%u)|(%d+)|(!?)(%d+)$")
  if not epoch then return nil, "m" end
  local lines, quantity, units, nanos, position =
    string.match(c or "", "^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$")
  if not lines and state ~= "gone" then return nil, "c" end
  local cart = {
    now = now, status = "open", alive = true,
    v = v, version = tonumber(version), digest = digest, updated = updated,
    lanes = lanes, keys = keys, swept = swept,
    m = m, epoch = epoch, currency = currency, created = created, pinned = pinned, ttl = ttl,
    c = c, lines = tonumber(lines), quantity = tonumber(quantity), units = tonumber(units),
    nanos = tonumber(nanos), position = tonumber(position),
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
