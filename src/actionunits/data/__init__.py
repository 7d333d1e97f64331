"""What training reads: tables of frames, pictures, triplets, classes; their splits and batches."""
