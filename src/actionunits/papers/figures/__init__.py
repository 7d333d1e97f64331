"""The papers' figures, drawn of any run: what a model attends to, relates and separates.

A figure asks a model for what it draws, never for its name: arrays in `Output.aux`, or a method of
`trained`. `faces` chooses the faces, `seen` shows them to the model, `layout`
is what the figures have in common.
"""
