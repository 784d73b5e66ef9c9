"""The sections of the page, one file each: from the report to what its template shows."""
