"""The web app: a page, an HTTP API, and the service behind both."""
