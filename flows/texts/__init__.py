"""What people read of a run, in French, and where the pages are that it links to. Nothing here knows Prefect."""
