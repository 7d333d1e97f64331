"""Codes of people: what coding programs write, read as stretches of time, and written for them."""
