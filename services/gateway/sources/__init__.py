"""What is searched, and the ladder where a source fails."""
