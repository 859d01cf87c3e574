"""Cooperative MADDPG beside another library's MADDPG on a task of neither: ``python -m benchmarks.peers.compare --help``."""
