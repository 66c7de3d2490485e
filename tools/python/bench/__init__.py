"""Training throughput of the frameworks on the seed network, to compare Gneiss with."""
