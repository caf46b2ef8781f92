from flows.formats.base import Decision
from flows.project.formats import CsvFormat


def decide(path, name, declared, settings):
    declared = declared or CsvFormat(type="csv")
    found = {
        "encoding": "utf-8",
        "delimiter": ",",
        "quote": '"',
        "escape": "",
        "skip_rows": 0,
        "header_rows": 1,
        "footer_rows": 0,
        "empty_columns": 0,
        "skip_space": False,
    }
    return Decision(declared.model_copy(update={k: v for k, v in found.items() if getattr(declared, k) is None}))


def incompatible(path, name, kept, settings):
    return None
