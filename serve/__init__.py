"""The Ray Serve application: a policy bundle behind HTTP. Knows the bundle's format and nothing of training."""
