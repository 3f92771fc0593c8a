-- Takes another cart's lines in, by policy: the commit point of a merge. The tail: field, line; without position.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, target_epoch, policy, currency, max_quantity, max_lines, priced, count = unpack(ARGV, 1, 15)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
if verdict == "replayed" then
  shown = string.match(recorded, "^%d+|%x+|%d+|(.*)$") or ""
  if shown == "refused" then return { "merge_refused" } end
elseif (string.match(m or "", "^1|([%w_-]+)") or "") ~= target_epoch then
  -- Another cart than when the source was read: it cannot know whether this merge was refused before.
  return { "version_conflict", version }
elseif verdict == "new" and priced == "1" and alive and line_count > 0 and cart_currency ~= currency then
  verdict = { "currency_mismatch", cart_currency, currency }
end
if verdict == "new" then
  if not alive or line_count == 0 then
    -- @include revive
    cart_currency, renew = currency, true
  end
  local writes, added, raised, clamped, left = {}, 0, 0, 0, 0
  for i = #ARGV - 2 * count + 1, #ARGV, 2 do
    local field, offered = ARGV[i], ARGV[i + 1]
    -- @include weigh_line
    if not stays_out then
      local units_before, nanos_before, price, times = units, nanos, old_price, -was
      -- @include add_amount
      price, times = new_price, limited
      -- @include add_amount
      if units >= 2 ^ 53 then
        units, nanos, stays_out = units_before, nanos_before, true
      end
    end
    -- @include take_line
  end
  -- @include make_room
  shown = string.format("%.0f|%.0f|%.0f|%.0f", added, raised, clamped, left)
  note = "|" .. shown
  -- @include commit
elseif verdict ~= "replayed" and m then
  -- @include make_room
  -- @include refuse_merge
end
-- @include answer
