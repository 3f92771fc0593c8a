-- Takes another cart's lines in, by policy: the commit point of a merge. The tail: field, line; without position.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, target_epoch, policy, currency, max_quantity, max_lines, priced, count = unpack(ARGV, 1, 15)
-- @include read_cart
-- @include judge
-- @include answer
-- @include epoch_of
-- @include revive
-- @include money
-- @include make_room
-- @include drop_fields
-- @include commit
-- @include refuse_merge
-- @include take_line

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local cart, bad = read_cart(key, record, "v")
if not cart then return { "corrupt_cart", bad } end
local verdict = judge(cart, change, expected)
if verdict == "replayed" then
  local note = string.match(cart.record, "^%d+|%x+|%d+|(.*)$")
  if note == "refused" then return { "merge_refused" } end
  return answer(key, cart, want_cart, "1", note)
end
-- Another cart than when the source was read: it cannot know whether this merge was refused before.
if epoch_of(cart) ~= target_epoch then return { "version_conflict", cart.version } end
if verdict ~= "new" then return refuse_merge(key, cart, change, verdict) end
if priced == "1" and cart.alive and cart.lines > 0 and cart.currency ~= currency then
  return refuse_merge(key, cart, change, { "currency_mismatch", cart.currency, currency })
end

if not cart.alive or cart.lines == 0 then
  revive(cart, epoch, currency)
  cart.currency, cart.renew = currency, true
end
local taken = {
  policy = policy, max_quantity = tonumber(max_quantity), max_lines = tonumber(max_lines),
  added = 0, raised = 0, clamped = 0, left = 0, writes = {},
}
for i = #ARGV - 2 * count + 1, #ARGV, 2 do
  local bad_line = take_line(key, cart, taken, ARGV[i], ARGV[i + 1])
  if bad_line then return { "corrupt_cart", bad_line } end
end
local _, old = make_room(key, cart, record)
local note = string.format("%.0f|%.0f|%.0f|%.0f", taken.added, taken.raised, taken.clamped, taken.left)
change.note = "|" .. note
commit(key, cart, change, old, taken.writes)
return answer(key, cart, want_cart, "0", note)
