"""The papers: their tables as data, ours beside them, their figures, what their models cost."""
