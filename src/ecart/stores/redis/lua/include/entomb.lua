-- Leaves a tombstone, where a cart ends or where a named change found none, so that repeats stay known.
if not m then born, cart_currency, life = true, currency, "" end
line_count, total_quantity, units, nanos, last_position = 0, 0, 0, 0, 0
renew, state, ends_in = true, "gone", "900000"
