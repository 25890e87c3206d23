"""What all parts speak of: errors, schedules, histories, verdicts, faults. The standard library only."""
