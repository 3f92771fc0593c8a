-- Why a cart in its state does not take a change: a reply, or nil. Opens a cart whose check-out ran out of time.
-- A change works on open carts; also on "held" ones, on those with "kept" additions, on "merging" ones, on "any".
local function state_refusal(cart, works_on)
  if works_on == "any" then return nil end
  if cart.status == "locked" then
    if works_on == "held" then return nil end
    if cart.now - cart.deadline >= 0 then
      cart.status, cart.s = nil, nil
      return nil
    end
    if not (works_on == "kept" and cart.keeps) then return { "cart_locked" } end
    return nil
  end
  if works_on == "merging" then return nil end
  if cart.status == "merging" then return { "cart_merging", cart.hold, cart.policy, cart.target } end
  return { "cart_merged", cart.target }
end
