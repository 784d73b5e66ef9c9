"""Rules over recordings, and the findings they make."""
