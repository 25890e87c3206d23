"""The gate: everything that a change has to pass, on one budget, with one verdict."""
