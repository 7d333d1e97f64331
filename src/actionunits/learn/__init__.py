"""Recipes, the training loop, scores, reports and checkpoints."""
