"""Count the trainings that this process took from a run that was interrupted. The recorder writes the number down."""

trainings = 0
