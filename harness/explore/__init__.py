"""Who takes the next step: strategies that propose schedules. Pure: they see session numbers and nothing else."""
