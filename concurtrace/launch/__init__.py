"""Start the target under its instruments, one fresh process per pass."""
