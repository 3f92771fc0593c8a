-- Makes a cart of what does not exist or is gone; its versions go on where they were.
if not alive then
  alive, born, renew, state = true, true, true, nil
  cart_currency, life = currency, ""
  line_count, total_quantity, units, nanos, last_position = 0, 0, 0, 0, 0
end
