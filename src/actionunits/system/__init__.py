"""The machine: its processor and memory, processes and signals, and what must not leave it."""
