"""Networks: actor, coordinator, critic, and the RLModule that joins them."""
