-- Takes another cart's lines in, by policy: the commit point of a merge. The tail: field, line without position; other; records.
-- @include line_bytes, read_cart, check_change, new_cart, add_amount, count_record, take_records, delete_fields, expire, write_cart, refuse_merge, merge_line, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, target_epoch, policy, currency, max_quantity, max_lines, max_bytes, priced, count, records = unpack(ARGV, 1, 17)

local refusal, now, header, counters, v, c, m, s, recorded = read_cart(key, record, "", ttl)
if refusal then return refusal end
local is_repeat, merged
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if is_repeat then
  local note = string.match(recorded, "^%d+|%x+|%d+|(.*)$") or ""
  if note == "refused" then return { "merge_refused" } end
  return reply(key, want_cart, "1", v, c, m, s, note)
end
if refusal and refusal[1] == "corrupt_cart" then return refusal end
-- Another cart than when the source was read: it cannot know whether this merge was refused before.
if (string.match(m or "", "^1|([%w_-]+)") or "") ~= target_epoch then return { "version_conflict", header.version } end

if not refusal then
  refusal, header.s = check_merge(now, expected, header, counters, v, m, s, priced, currency)
end
if refusal then return refuse_merge(key, now, record, recorded, sequence, fingerprint, header, v, refusal) end

local mark = "0"
if not m or s == "gone" then
  mark, header, counters = "2", new_cart(now, header.version, header.records, epoch, currency, ttl)
elseif counters.lines == 0 then
  header.m = string.gsub(header.m, "^(1|[%w_-]+|)%u+", "%1" .. currency)
end
local writes, added, raised, clamped, left = { record, "" }, 0, 0, 0, 0
local last, last_other = 17 + 2 * count, #ARGV - 2 * records
for i = 18, last, 2 do
  local stored = redis.call("HGET", key, ARGV[i])
  refusal, merged = merge_line(counters, ARGV[i], stored, ARGV[i + 1], policy, max_quantity + 0, max_lines + 0, max_bytes + 0)
  if refusal then return refusal end
  if merged then
    counters = merged.counters
    added, raised, clamped = added + merged.added, raised + merged.raised, clamped + merged.clamped
    writes[#writes + 1] = ARGV[i]
    writes[#writes + 1] = merged.text
  else
    left = left + 1
  end
end
for i = last + 1, last_other, 2 do
  if policy == "replace" or redis.call("HEXISTS", key, ARGV[i]) == 0 then
    writes[#writes + 1] = ARGV[i]
    writes[#writes + 1] = ARGV[i + 1]
  end
end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end
local offered = {}
for i = last_other + 1, #ARGV do offered[#offered + 1] = ARGV[i] end
take_records(key, now, header, offered, writes)
local shown = string.format("%.0f|%.0f|%.0f|%.0f", added, raised, clamped, left)
writes[2] = record_text(now, sequence, fingerprint, "|" .. shown)
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, writes)
return reply(key, want_cart, mark, v, c, header.m, header.s, shown)
