-- Whether a change may go on: "new", "replayed", or the reply that refuses it.
-- A change works on open carts; also on "held" ones, on those with "kept" additions, on "merging" ones, on "any". A cart
-- whose check-out ran out of time is opened.
local function judge(cart, change, expected)
  if cart.record then
    local last, fingerprint, seconds = string.match(cart.record, "^(%d+)|(%x+)|(%d+)")
    if not last then return { "corrupt_cart", change.record } end
    local ahead = change.sequence - last
    if ahead <= 0 and not (string.sub(change.record, 1, 1) == "#" and cart.now / 1000 - seconds >= 86400) then
      if ahead < 0 then return { "stale_operation" } end
      if fingerprint ~= change.fingerprint then return { "idempotency_key_reused" } end
      return "replayed"
    end
  end
  local works_on = cart.status and change.works_on
  if cart.status == "locked" and works_on ~= "any" and works_on ~= "held" then
    if cart.now - cart.deadline >= 0 then
      cart.status, cart.s = nil, nil
    elseif not (works_on == "kept" and cart.keeps) then
      return { "cart_locked" }
    end
  elseif cart.status == "merging" and works_on ~= "any" and works_on ~= "merging" then
    return { "cart_merging", cart.hold, cart.policy, cart.target }
  elseif cart.status == "merged" and works_on ~= "any" and works_on ~= "merging" then
    return { "cart_merged", cart.target }
  end
  if expected ~= "" and not string.find(expected, "\n" .. cart.version .. "\n", 1, true) then
    local epoch = string.match(cart.m or "", "^1|([%w_-]+)") or ""
    local digest = string.match(cart.v or "", "^%d+|([%w_-]+)") or ""
    local tag = '"' .. epoch .. "." .. cart.version .. "." .. digest .. '"'
    if not string.find(expected, "\n" .. tag .. "\n", 1, true) then
      return { "version_conflict", cart.version }
    end
  end
  return "new"
end
