"""Faces in pictures: find them, align them to one template, follow them through a video."""

DETECTOR = "synface"
"""Name of the detector that is taken where none is asked for; see `detect.DETECTORS`."""
