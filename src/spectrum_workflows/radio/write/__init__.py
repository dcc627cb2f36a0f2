"""Images as files of the field."""
