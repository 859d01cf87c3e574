"""Planning ahead: model predictive control and perfect foresight, from the same description of what stores energy."""
