"""Synthetic faces: a parametric head whose Action Units, landmarks, pose and identity are known."""
