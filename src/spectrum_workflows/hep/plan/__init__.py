"""What a run is going to do: its files, what is in them, and how they are cut."""
