"""The plan of a run: its files, what is known of them, and where they are cut."""
