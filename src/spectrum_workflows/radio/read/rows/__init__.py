"""Files of rows: what formats share that store visibilities row after row in one file."""
