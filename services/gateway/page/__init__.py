"""The read-only web page that shows the ledger."""
