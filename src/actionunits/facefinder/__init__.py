"""The package's face detector, from rendered heads to the two graphs that `faces.synface` runs."""
