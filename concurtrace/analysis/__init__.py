"""Pure functions from recordings to values: nothing is read, nothing is shown."""
