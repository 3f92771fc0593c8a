-- Reads what a change needs of a cart, with one HMGET: header, the change's record, one line ("" for none).
-- Takes: ttl, the time to live that the change gives a cart, unless `set_ttl` pinned another; nil to leave it.
-- Returns: a refusal if a text is unreadable; or nil and
--   now: the engine's time in milliseconds, as text
--   header: version, records (lanes|keys|swept), currency and ttl; m and s, the texts as the change is to leave them;
--     later what `count_record` finds
--   counters: lines, quantity, units, nanos, position; bytes, as of `line_bytes`, of all lines
--   v, c, m, s, recorded, line_text: the fields as stored
-- What most changes pass on unread stays text.
local function read_cart(key, record, line, ttl)
  local fields = redis.pcall("HMGET", key, "v", "c", "m", "s", "b", record, line)
  if fields.err then return { "corrupt_cart", "type" } end
  local time = redis.call("TIME")
  local now = time[1] .. string.sub("00000" .. time[2], -6, -4)
  local v, c, m, s, b, recorded, line_text = unpack(fields)
  if not m then
    if v or c or redis.call("EXISTS", key) == 1 then return { "corrupt_cart", "m" } end
    return nil, now, { version = "0", records = "0|0|" .. now },
      { lines = 0, quantity = 0, units = 0, nanos = 0, position = 0, bytes = 0 }
  end

  local version, records = string.match(v or "", "^(%d+)|[%w_-]+|%d+|(%d+|%d+|%d+)$")
  if not version then return { "corrupt_cart", "v" } end
  local currency, life = string.match(m, "^1|[%w_-]+|(%u%u%u)|%d+|(!?%d+)$")
  if not currency then return { "corrupt_cart", "m" } end
  local lines, quantity, units, nanos, position = string.match(c or "", "^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$")
  if not lines then
    if s ~= "gone" then return { "corrupt_cart", "c" } end
    lines, quantity, units, nanos, position = 0, 0, 0, 0, 0
  end
  local counted_at, bytes = string.match(b or "", "^(%d+)|(%d+)$")
  if counted_at ~= version then bytes = sum_bytes(key) end
  if s then
    local status, _, deadline = string.match(s, "^(%l+)|?([^|]*)|?([^|]*)|?[^|]*$")
    local is_known = status == "gone" or status == "locked" or status == "merging" or status == "merged"
    if not is_known or (status == "locked" and not tonumber(deadline)) then return { "corrupt_cart", "s" } end
  end
  local new_m = m
  if life ~= ttl then
    local pinned = string.match(life, "^!(.*)")
    if ttl and not pinned then
      new_m = string.match(m, "^.*|") .. ttl
    else
      ttl = pinned or life
    end
  end
  return nil, now, { version = version, records = records, currency = currency, ttl = ttl, m = new_m, s = s },
    { lines = lines + 0, quantity = quantity + 0, units = units + 0, nanos = nanos + 0, position = position + 0,
      bytes = bytes + 0 },
    v, c, m, s, recorded, line_text
end
