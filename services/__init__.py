"""The services scic deploys, and what they share."""
