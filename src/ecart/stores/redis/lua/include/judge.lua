-- Whether the change may go on: the `verdict` is "new", "replayed", or the reply that refuses it.
-- It works on open carts; by `works_on` also on "held" ones, on those with "kept" additions, on "merging" ones, on "any".
-- A cart whose check-out ran out of time is opened.
local verdict = "new"
if recorded then
  local last, of_last, seconds = string.match(recorded, "^(%d+)|(%x+)|(%d+)")
  if not last then return { "corrupt_cart", record } end
  local ahead = sequence - last
  if ahead <= 0 and not (string.sub(record, 1, 1) == "#" and now / 1000 - seconds >= 86400) then
    verdict = ahead < 0 and { "stale_operation" }
      or of_last ~= fingerprint and { "idempotency_key_reused" }
      or "replayed"
  end
end
if status and verdict == "new" and works_on ~= "any" then
  if status == "locked" and works_on ~= "held" then
    if now - deadline_or_policy >= 0 then
      status, state = nil, nil
    elseif not (works_on == "kept" and keeps) then
      verdict = { "cart_locked" }
    end
  elseif status == "merging" and works_on ~= "merging" then
    verdict = { "cart_merging", holder, deadline_or_policy, keeps_or_target }
  elseif status == "merged" and works_on ~= "merging" then
    verdict = { "cart_merged", keeps_or_target }
  end
end
if expected ~= "" and verdict == "new" and not string.find(expected, "\n" .. version .. "\n", 1, true) then
  local epoch_now = string.match(m or "", "^1|([%w_-]+)") or ""
  local digest_now = string.match(v or "", "^%d+|([%w_-]+)") or ""
  local tag = '"' .. epoch_now .. "." .. version .. "." .. digest_now .. '"'
  if not string.find(expected, "\n" .. tag .. "\n", 1, true) then verdict = { "version_conflict", version } end
end
