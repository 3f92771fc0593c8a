-- Ends the merge of this cart: it becomes the copy for undoing, or opens again if the target refused.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, merge_id, is_merged = unpack(ARGV)
local touched, works_on = "", "any"
-- @include read_cart
-- @include judge
if verdict == "new" and status == "merging" and holder == merge_id then
  -- @include make_room

  redis.call("HDEL", key, "!")
  local writes = {}
  if is_merged == "1" then
    state, ends_in = "merged" .. string.sub(state, 8), "86400000"
  else
    state = nil
  end
  -- @include commit
end
-- @include answer
