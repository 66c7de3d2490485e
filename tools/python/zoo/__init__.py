"""The reference networks, one file a framework, and the weights both load."""
