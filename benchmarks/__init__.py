"""What the mesh reaches, measured beside its goals; README.md has the method."""
