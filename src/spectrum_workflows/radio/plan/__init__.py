"""The plan of an image: chunks, strips, work, bytes and memory, before anything is computed."""
