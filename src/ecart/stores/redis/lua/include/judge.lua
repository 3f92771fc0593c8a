-- Whether a change may go on: "new", "replayed", or the reply that refuses it.
local function judge(cart, change, expected)
  if cart.record then
    local last, fingerprint, seconds = string.match(cart.record, "^(%d+)|(%x+)|(%d+)")
    if not last then return { "corrupt_cart", change.record } end
    local sequence = tonumber(change.sequence)
    local forgotten = string.sub(change.record, 1, 1) == "#" and cart.now / 1000 - seconds >= 86400
    if not forgotten and sequence <= tonumber(last) then
      if sequence < tonumber(last) then return { "stale_operation" } end
      if fingerprint ~= change.fingerprint then return { "idempotency_key_reused" } end
      return "replayed"
    end
  end
  if cart.status ~= "open" and cart.status ~= "gone" then
    local refusal = state_refusal(cart, change.works_on)
    if refusal then return refusal end
  end
  if expected ~= "" then
    local version = string.format("%.0f", cart.version)
    local tag = '"' .. cart.epoch .. "." .. version .. "." .. cart.digest .. '"'
    if not string.find(expected, "\n" .. version .. "\n", 1, true)
      and not string.find(expected, "\n" .. tag .. "\n", 1, true) then
      return { "version_conflict", version }
    end
  end
  return "new"
end
