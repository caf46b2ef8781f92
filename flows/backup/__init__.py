"""A copy of the lake and of Prefect's database that can be restored into an empty place, each copy whole by itself.

store.py       the folder that copies are kept in: bytes under their sha256, and one list a copy
buckets.py     what is copied, and in which order, so that nothing in a copy names something that is missing from it
closure.py     whether that is so
database.py    Prefect's database, by its own programs
"""
