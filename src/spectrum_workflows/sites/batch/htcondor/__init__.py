"""HTCondor: its commands, its submit descriptions, and what it says of its slots."""
