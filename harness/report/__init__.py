"""Every view of a run: rendered from its run document, which is plain JSON data, and from nothing else."""
