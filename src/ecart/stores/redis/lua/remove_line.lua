-- Takes a line out of the cart, whatever its quantity.
-- @include read_cart, check_change, add_amount, count_record, write_cart, expire, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line = unpack(ARGV)

local refusal, now, header, counters, v, c, m, s, recorded, stored_line = read_cart(key, record, line, ttl)
if refusal then return refusal end
local is_repeat, old
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, stored_line or "") end
refusal, header.s = check_cart(now, "open", expected, header.version, v, m, s)
if refusal then return refusal end
if not stored_line then return { "line_not_found" } end
local was, price = string.match(stored_line, "^(%d+)|([%d%.]*)|%d+|")
if not was then return { "corrupt_cart", line } end
refusal, header.records, old = count_record(key, now, record, recorded, header.records)
if refusal then return refusal end

redis.call("HDEL", key, line)
counters.lines, counters.quantity = counters.lines - 1, counters.quantity - was
counters.units, counters.nanos = add_amount(counters.units, counters.nanos, -was, price)
local writes = { record, record_text(now, sequence, fingerprint, "") }
v, c = write_cart(key, now, digest, header, counters, m, s, writes, old)
expire(key, now, header.ttl)
return reply(key, want_cart, "0", v, c, header.m, header.s, "")
