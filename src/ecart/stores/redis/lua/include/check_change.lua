-- Compares a change with its record in the cart, `recorded`, where there is one.
-- Returns: a refusal; or nil and whether the change is a repeat, which was applied already.
local function check_record(now, record, recorded, sequence, fingerprint)
  if not recorded then return nil, false end
  local last, last_fingerprint, seconds = string.match(recorded, "^(%d+)|(%x+)|(%d+)")
  if not last then return { "corrupt_cart", record } end
  local ahead = sequence - last
  if ahead > 0 then return nil, false end
  if string.sub(record, 1, 1) == "#" and now / 1000 - seconds >= 86400 then return nil, false end -- it expired
  if ahead < 0 then return { "stale_operation" } end
  if last_fingerprint ~= fingerprint then return { "idempotency_key_reused" } end
  return nil, true
end

-- Checks whether the cart may be changed: its state, and the versions or ETags that the caller expects ("" for any).
-- Takes: accepts, the states besides open and destroyed that the change works on: "open" none, "held" a check-out,
-- "kept" one that keeps additions, "merging" a merge that has begun or ended, "any" all of them.
-- Returns: a refusal; or nil and s, which is nil where a check-out ran out of time: that opens the cart.
local function check_cart(now, accepts, expected, version, v, m, s)
  if s and accepts ~= "any" then
    local status, id, deadline_or_policy, keeps_or_target = string.match(s, "^(%l+)|?([^|]*)|?([^|]*)|?([^|]*)$")
    if status == "locked" and accepts ~= "held" then
      if now - deadline_or_policy >= 0 then
        s = nil
      elseif accepts ~= "kept" or keeps_or_target ~= "1" then
        return { "cart_locked" }
      end
    elseif status == "merging" and accepts ~= "merging" then
      return { "cart_merging", id, deadline_or_policy, keeps_or_target }
    elseif status == "merged" and accepts ~= "merging" then
      return { "cart_merged", keeps_or_target }
    end
  end
  if expected ~= "" and not string.find(expected, "\n" .. version .. "\n", 1, true) then
    local epoch = string.match(m or "", "^1|([%w_-]+)") or ""
    local digest = string.match(v or "", "^%d+|([%w_-]+)") or ""
    local tag = '"' .. epoch .. "." .. version .. "." .. digest .. '"'
    if not string.find(expected, "\n" .. tag .. "\n", 1, true) then return { "version_conflict", version } end
  end
  return nil, s
end
