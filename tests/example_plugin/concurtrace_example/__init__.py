"""One plug-in of each kind, one file each."""
