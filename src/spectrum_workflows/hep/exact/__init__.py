"""Sums of weights that do not depend on how events are divided into partitions."""
