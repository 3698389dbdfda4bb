"""The guard: finds personal data and secrets, and keeps them out of prompts, replies, caches, records and logs."""
