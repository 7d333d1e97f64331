"""Pictures to rows: frames are read, faces found, aligned and shown to a model, rows written."""
