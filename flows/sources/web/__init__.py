"""What the sources that speak HTTP share: which machines may be reached (reach.py), requests (client.py), whole files
(download.py), what they are called (names.py), and what is remembered of them from run to run (remote.py).
"""

from flows.sources.web.client import Auth, Web, origin, shown
from flows.sources.web.download import download
from flows.sources.web.remote import RemoteFile, RemoteFiles

__all__ = ["Auth", "RemoteFile", "RemoteFiles", "Web", "download", "origin", "shown"]
