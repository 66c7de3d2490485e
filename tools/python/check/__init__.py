"""Checks: committed cases against a rebuild and against plain formulas, and our exports in other runtimes."""
