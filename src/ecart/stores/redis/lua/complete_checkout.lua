-- Takes out of the cart what was ordered, and only that.
-- @include line_bytes, read_cart, check_change, begin_change, add_amount, count_record, delete_fields, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "held", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if string.match(s or "", "^locked|([^|]*)|") ~= checkout_id then return { "checkout_not_open" } end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

local all, seen = redis.call("HGETALL", key), {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == "!" then seen[string.sub(all[i], 2)] = tonumber(all[i + 1]) end
end
counters = { lines = 0, quantity = 0, units = 0, nanos = 0, position = counters.position, bytes = 0 }
local writes = { record, record_text(now, sequence, fingerprint, "") }
for i = 1, #all, 2 do
  local ordered = string.sub(all[i], 1, 1) == ":" and seen[string.sub(all[i], 2)]
  if ordered then
    local quantity, price, rest = string.match(all[i + 1], "^(%d+)|([%d%.]*)(|%d+|.*)$")
    if not quantity then return { "corrupt_cart", all[i] } end
    local added = quantity - ordered
    if added > 0 then
      writes[#writes + 1] = all[i]
      writes[#writes + 1] = string.format("%.0f|%s%s", added, price, rest)
      counters.bytes = counters.bytes + line_bytes(all[i], all[i + 1])
      counters.lines, counters.quantity = counters.lines + 1, counters.quantity + added
      counters.units, counters.nanos = add_amount(counters.units, counters.nanos, added, price)
    end
  end
end

delete_lines(key, false)
header.s = nil
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, writes)
return reply(key, want_cart, "0", v, c, header.m, header.s, "")
