"""Replies that are kept: found by what was asked, dead as soon as a document that they name changes."""
