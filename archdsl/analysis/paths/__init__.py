"""How far apart positions are: sequential steps, path lengths, where two first meet."""
