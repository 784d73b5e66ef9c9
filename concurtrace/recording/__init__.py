"""Decode what the native recorder and the watcher left: from files to columns."""
