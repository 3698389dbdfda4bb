"""The three stages: what is asked of them, and over gRPC."""
