"""The zoo: many small models that schedules are learned over and judged on. docs/zoo.md says what is in it."""
