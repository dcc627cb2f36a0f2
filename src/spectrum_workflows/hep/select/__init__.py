"""The user's selection: its code and what comes along, the events it is given, what it returns."""
