"""Facial Action Units off photos and video."""
