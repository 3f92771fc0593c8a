-- What one HMGET tells of a cart: header, this change's record, one line. Nil and the bad field if unreadable.
local KNOWN = { gone = true, locked = true, merging = true, merged = true }
local function read_cart(key, record_field, line_field)
  local raw = redis.pcall("HMGET", key, "v", "c", "m", "s", record_field, line_field)
  if raw.err then return nil, "type" end
  local time = redis.call("TIME")
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local v, c, m, state = raw[1], raw[2], raw[3], raw[4]
  if not m then
    if v or c or redis.call("EXISTS", key) == 1 then return nil, "m" end
    return { now = now, version = 0, epoch = "", digest = "", status = "open", lanes = 0, keys = 0, swept = now }
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
  local status, a, b, d = "open", nil, nil, nil
  if state then
    status, a, b, d = string.match(state, "^(%l+)|?([^|]*)|?([^|]*)|?([^|]*)$")
    if not KNOWN[status or ""] or (status == "locked" and not tonumber(b)) then return nil, "s" end
  end

  return {
    now = now, alive = status ~= "gone", status = status, stored_s = state,
    hold = a, deadline = tonumber(b), keeps = status == "locked" and d == "1", policy = b, target = d, version = tonumber(version), epoch = epoch, digest = digest, updated = updated,
    lanes = tonumber(lanes), keys = tonumber(keys), swept = tonumber(swept),
    currency = currency, created = created, pinned = pinned, ttl = ttl,
    lines = tonumber(lines), quantity = tonumber(quantity), units = tonumber(units),
    nanos = tonumber(nanos), position = tonumber(position),
    v = v, c = c, m = m, s = state, record = raw[5], line = raw[6],
  }
end
