"""Whether work would start at a site: checked from the session, then from inside a node."""
