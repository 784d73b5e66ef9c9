"""The rules: one file each, named after the failing state."""
