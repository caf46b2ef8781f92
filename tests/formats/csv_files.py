"""Hostile CSV files made by the project, each with how it is to be read: for tests and for the comparison of benchmarks/dialects.py."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    delimiter: str
    header: list[str] | None
    """Names of the columns; None: there is no header."""
    rows: list[tuple[str | None, ...]]
    """Those that are right; nothing is None."""
    bad: int = 0
    """Records that are no rows."""
    encoding: str = "utf-8"
    same: frozenset[str] = field(default_factory=frozenset)
    """Other encodings that read it the same."""


NAMES = ["code", "commune", "population", "taux", "date"]
ROWS = [
    ("01004", "Ambérieu-en-Bugey", "14 134", "12,5", "03/01/2024"),
    ("2A004", "Ajaccio", "71 361", "8,25", "15/02/2024"),
    ("30189", "Nîmes", "148 561", "9,0", "28/02/2024"),
    ("35238", "Rennes", "222 485", "7,75", "01/03/2024"),
    ("69123", "Lyon, 3e", "522 250", "10,1", "17/03/2024"),
    ("97411", "Saint-Denis (Réunion)", "153 810", "18,4", "30/04/2024"),
]


def text(delimiter: str, rows: list[tuple[str, ...]] | None = None, end: str = "\n", header: list[str] | None = NAMES) -> str:
    """Fields that hold the delimiter are quoted."""
    lines = [*([tuple(header)] if header else []), *(ROWS if rows is None else rows)]
    return "".join(delimiter.join(f'"{f}"' if delimiter in f else f for f in line) + end for line in lines)


def _case(name: str, content: str | bytes, delimiter: str = ";", encoding: str = "utf-8", **given: object) -> Case:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    values = {"header": NAMES, "rows": list(ROWS), "encoding": encoding, **given}
    return Case(name, data, delimiter, **values)  # type: ignore[arg-type]


def cases() -> list[Case]:
    plain = text(";")
    latin = frozenset({"latin-1", "iso8859-15", "cp1252"})
    made = [_case(f"delimiter {d!r}", text(d), d) for d in [",", ";", "\t", "|", ":", "~", "^", "§", "\x1f"]]
    made += [
        _case("encoding cp1252", plain, encoding="cp1252", same=latin),
        _case("encoding latin-1", plain, encoding="latin-1", same=latin),
    ]
    made += [_case("encoding mac-roman", plain, encoding="mac-roman"), _case("encoding cp850", plain, encoding="cp850")]
    made += [_case(f"encoding {e}", plain, encoding=e) for e in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")]
    made += [_case("byte order mark", "\ufeff" + plain), _case("crlf", text(";", end="\r\n")), _case("lone cr", text(";", end="\r"))]
    made += [_case("mixed line ends", plain.replace("\n", "\r\n", 3)), _case("no last line end", plain.rstrip("\n"))]
    made += [_case("blank lines between", plain.replace("\n", "\n\n")), _case("blank lines after", plain + "\n\n\n")]
    made += _before_and_after(plain)
    made += _headers(plain)
    made += _quotes(plain)
    made += _rows(plain)
    made += _small()
    return made


def _before_and_after(plain: str) -> list[Case]:
    return [
        _case("title", "Population des communes\n" + plain),
        _case("title and blank line", "Population des communes ; 2024\nSource : Insee\n\n" + plain),
        _case("title with delimiters", "Population des communes;;;;\n;;;;\n" + plain),
        _case("comments", "# extrait du 2 mai\n# provisoire\n" + plain),
        _case("sep=", "sep=;\n" + plain),
        _case("sep= with an odd one", "sep=!\n" + text("!"), "!"),
        _case("note after", plain + "\nSource : Insee, recensement de la population 2024\n"),
        _case("notes after", plain + "* provisoire\n(1) données arrondies\n"),
        _case("total after", plain + "Total;;1 132 601;;\n"),
        _case("note with delimiters", plain + ";;;;\nSource : Insee;;;;\n"),
    ]


def _headers(plain: str) -> list[Case]:
    without = text(";", header=None)
    over = ["Commune;;Recensement;;\n", "code;commune;population;taux;date\n"]
    several = ["Commune / code", "Commune / commune", "Recensement / population", "Recensement / taux", "Recensement / date"]
    numbers = [("1", "2,5", "10/01/2024"), ("2", "3,5", "11/01/2024"), ("3", "4,5", "12/01/2024")]
    return [
        _case("no header", "".join(";".join(r) + "\n" for r in numbers), header=None, rows=numbers),
        _case("two header lines", "".join(over) + without, header=several),
        _case("header twice", plain.split("\n", 1)[0] + "\n" + plain),
        _case(
            "header over several lines",
            plain.replace("population", '"population\n(habitants)"', 1),
            header=[*NAMES[:2], "population\n(habitants)", *NAMES[3:]],
        ),
        _case("names that come twice", plain.replace("taux", "commune", 1), header=["code", "commune", "population", "commune_2", "date"]),
        _case("names that are empty", plain.replace("commune;population", ";population", 1), header=["code", "colonne_2", *NAMES[2:]]),
        _case("delimiter at the end of every line", plain.replace("\n", ";\n")),
        _case("delimiters at the end of rows only", plain.replace("\n", ";\n").replace("date;\n", "date\n", 1)),
        _case("phantom columns", plain.replace("\n", ";;;;\n")),
    ]


def _quotes(plain: str) -> list[Case]:
    talk = [("1", 'il dit "oui", puis part', "x"), ("2", "une\nligne; deux", ""), ("3", "l'eau d'ici", "y"), ("4", "fin", "z")]
    rows = [tuple(f or None for f in r) for r in talk]
    names = ["id", "texte", "code"]
    doubled = "".join(f'"{a}";"{b.replace(chr(34), chr(34) * 2)}";{c}\n' for a, b, c in [tuple(names), *talk])
    escaped = doubled.replace('""', '\\"')
    single = "".join(f"'{a}';'{b.replace(chr(39), chr(39) * 2)}';{c}\n" for a, b, c in [tuple(names), *talk])
    inches = "id;écran;prix\n" + "".join(f'{i};{20 + i}" large;{i},5\n' for i in range(1, 6))
    tokens = "".join(f'mot{i}\t"\t{i}\n' if i % 3 == 0 else f"mot{i}\tO\t{i}\n" for i in range(1, 31))
    return [
        _case("quotes doubled", doubled, header=names, rows=rows),
        _case("quotes escaped", escaped, header=names, rows=rows),
        _case("apostrophes for quotes", single, header=names, rows=rows),
        _case("all quoted", "".join(";".join(f'"{f}"' for f in r) + "\n" for r in [tuple(NAMES), *ROWS])),
        _case("space after delimiters", "".join(", ".join(f'"{f}"' for f in r) + "\n" for r in [tuple(NAMES), *ROWS]), ","),
        _case("quotes inside fields", inches, header=["id", "écran", "prix"],
              rows=[(str(i), f'{20 + i}" large', f"{i},5") for i in range(1, 6)]),
        _case("quotes that are words", "forme\tmarque\trang\n" + tokens, "\t", header=["forme", "marque", "rang"],
              rows=[(f"mot{i}", '"' if i % 3 == 0 else "O", str(i)) for i in range(1, 31)]),
        _case("a quote that is never closed", plain.replace("Ajaccio", '"Ajaccio'), rows=[r for r in ROWS if r[1] != "Ajaccio"], bad=1),
        _case("text after a quote", plain.replace("Ajaccio", '"Ajaccio" (Corse)'), rows=[r for r in ROWS if r[1] != "Ajaccio"], bad=1),
    ]  # fmt: skip


def _rows(plain: str) -> list[Case]:
    left = [r for r in ROWS if r[0] != "30189"]
    return [
        _case("a short row", plain.replace(";28/02/2024", ""), rows=left, bad=1),
        _case("a long row", plain.replace(";28/02/2024", ";28/02/2024;de trop"), rows=left, bad=1),
        _case("a byte that is no character", plain.replace("Nîmes", "@").encode().replace(b"@", b"N\xeemes")
              + "30001;éèàêéèàêé;1;2,0;01/01/2024\n".encode(),
              rows=[*left, ("30001", "éèàêéèàêé", "1", "2,0", "01/01/2024")], bad=1),
        _case("a zero byte", plain.replace("Nîmes", "N\0mes"), rows=left, bad=1),
    ]  # fmt: skip


def _small() -> list[Case]:
    return [
        _case("empty", b"", ",", header=[], rows=[]),
        _case("only line ends", b"\n\n\r\n", ",", header=[], rows=[]),
        _case("only a header", "code;nom\n", header=["code", "nom"], rows=[]),
        _case("one column", "commune\nNîmes\nRennes\nLyon\n", ",", header=["commune"], rows=[("Nîmes",), ("Rennes",), ("Lyon",)]),
        _case("one column of numbers", "valeur\n1,5\n2,5\n3,5\n", ",", header=["valeur"], rows=[("1,5",), ("2,5",), ("3,5",)]),
        _case("one column of times", "heure\n12:30:00\n13:45:10\n", ",", header=["heure"], rows=[("12:30:00",), ("13:45:10",)]),
        _case("decimal commas", "a;b;c\n1,5;2,3;4,4\n1,7;3,1;5,5\n2,2;1,0;0,1\n", header=["a", "b", "c"],
              rows=[("1,5", "2,3", "4,4"), ("1,7", "3,1", "5,5"), ("2,2", "1,0", "0,1")]),
    ]  # fmt: skip
