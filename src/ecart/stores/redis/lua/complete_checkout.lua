-- Takes out of the cart what was ordered, and only that.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id = unpack(ARGV)
local touched, works_on = "", "held"
-- @include read_cart
-- @include judge
if verdict == "new" then
  if status ~= "locked" or holder ~= checkout_id then return { "checkout_not_open" } end
  -- @include make_room

  local all, seen, writes = redis.call("HGETALL", key), {}, {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == "!" then seen[string.sub(all[i], 2)] = tonumber(all[i + 1]) end
  end
  line_count, total_quantity, units, nanos = 0, 0, 0, 0
  for i = 1, #all, 2 do
    local ordered = string.sub(all[i], 1, 1) == ":" and seen[string.sub(all[i], 2)]
    if ordered then
      local quantity, price, rest = string.match(all[i + 1], "^(%d+)|([%d%.]*)(|%d+|.*)$")
      if not quantity then return { "corrupt_cart", all[i] } end
      local times = quantity - ordered
      if times > 0 then
        writes[#writes + 1] = all[i]
        writes[#writes + 1] = string.format("%.0f|%s%s", times, price, rest)
        line_count, total_quantity = line_count + 1, total_quantity + times
        -- @include add_amount
      end
    end
  end
  drops_lines, state = true, nil
  -- @include commit
end
-- @include answer
