-- Whether a change may go on: "new", "replayed", or the reply that refuses it.
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
  if cart.status and cart.status ~= "gone" then
    local refusal = state_refusal(cart, change.works_on)
    if refusal then return refusal end
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
