"""From rows of frames to findings: events, summaries."""
