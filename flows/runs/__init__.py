"""What the flow files share: how a run begins, is on record, shows its progress, and what it leaves in the Prefect UI."""
