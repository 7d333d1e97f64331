"""A person: the head, its shapes and Action Units, creases, meshes and skin."""
