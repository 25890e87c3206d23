"""Load: clients in numbers that no search can order, whose whole history is judged all the same."""
