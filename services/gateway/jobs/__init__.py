"""What is too long to wait for: a queue in Redis, and workers."""
