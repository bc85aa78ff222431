"""Where schedules come from: starts without a model call, and refinement by true runs."""
