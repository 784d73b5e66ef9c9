"""Small programs that print, as their last line, how many nanoseconds their own work took."""
