"""Making an image of the data, pass by pass: the imagers, their tasks, and what they show."""
