"""The steps of a build: how much time each gets, which of them there is time for, and what leaving one out costs."""
