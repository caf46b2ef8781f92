"""Tells people what happened: takes what Prefect's automations and Alertmanager say, and sends it in French to Tchap, Mattermost, by
mail or to any webhook.

Prefect's own notifications would keep the addresses, which hold secrets, in its database. `python -m flows.notify` runs it.
"""
