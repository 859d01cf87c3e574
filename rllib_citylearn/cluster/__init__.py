"""Work on a Ray cluster: connecting to it, what its nodes must have in common, and data and storage for all of them."""
