"""Formats of input files: columns of NanoAOD's names and units from other branches."""
