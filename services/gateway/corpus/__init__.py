"""The tenant's documents: shown, counted, removed from every place."""
