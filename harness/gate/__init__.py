"""The gate: everything that a change has to pass, within one budget, with one verdict."""
