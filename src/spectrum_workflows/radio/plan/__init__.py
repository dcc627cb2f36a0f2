"""What an image will take: chunks, strips, work, bytes and memory, before anything is computed."""
