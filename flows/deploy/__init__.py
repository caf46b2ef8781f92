"""How the list in flows/deployments.py gets to a Prefect server: what would change, then the changes, then nothing more."""
