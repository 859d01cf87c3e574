"""The pictures of a report, one a module: each is made from the evaluations that it names, and nothing else."""
