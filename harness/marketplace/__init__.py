"""The system under test: a lead marketplace's payments, its sequential model, its properties and its scenarios."""
