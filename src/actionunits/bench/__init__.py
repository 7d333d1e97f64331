"""What `au bench` measures: every stage and the whole of detection on this machine."""
