"""What a number of runs without a violation does and does not say."""
