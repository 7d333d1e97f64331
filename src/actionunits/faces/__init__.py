"""Faces in pictures: find them, align them to one template, follow them through a video."""
