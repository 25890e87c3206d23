"""The only place that knows PostgreSQL's driver, programs and processes."""
