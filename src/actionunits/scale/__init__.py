"""Many files on many machines: what is to be read, by whom, and where the rows go."""
