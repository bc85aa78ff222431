"""How the family of schedules/family was learned over the zoo, and how it is judged on what was left out."""
