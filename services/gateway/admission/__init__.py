"""How much a gateway takes on at a time, and whom it refuses first."""
