"""SLURM: its commands, its scripts, and what it says of limits."""
