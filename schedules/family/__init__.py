"""Schedules and coefficients learned over a zoo of models, put on a model's own scale by two numbers."""
