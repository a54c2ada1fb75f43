"""What people see of ganfill over HTTP: a page, an API, and the service behind both."""
