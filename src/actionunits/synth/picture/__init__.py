"""A picture of a person: looks, light, glasses, lens and camera, and the OpenGL that draws it."""
