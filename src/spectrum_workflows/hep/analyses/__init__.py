"""Selections that come with the package, each a plain function in a file."""
