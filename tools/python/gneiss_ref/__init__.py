"""What every reference maker shares: seeds, names, float64 twins, noise and the files of a case."""
