"""The context ledger: every request with all its candidates, what became of them and why."""
