"""Searches over presets with Ray Tune, and Tune trials for training on a cluster."""
