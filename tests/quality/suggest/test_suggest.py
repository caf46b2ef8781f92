"""What is proposed, what is not, and that nothing of the sample is copied."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.quality.previous import DISTRIBUTION, NULL_SHARE, ROW_COUNT
from flows.quality.suggest import About, suggest

CANALS = ("courriel", "guichet", "téléphone")


def rows(count=2000, seed=1, start=0, day=date(2024, 1, 1)):
    r = random.Random(seed)
    return pl.DataFrame(
        {
            "id": [f"DEM-{start + i:06}" for i in range(count)],
            "canal": [r.choice(CANALS) for _ in range(count)],
            "note": [r.choice((None, 100, *range(101))) for _ in range(count)],
            "annee": [r.choice((2023, 2024)) for _ in range(count)],
            "montant": [round(r.lognormvariate(5, 1), 2) for _ in range(count)],
            "recu_le": [day + timedelta(r.randrange(300)) for _ in range(count)],
            "nom": [f"{r.choice(('Éva', 'Léo', 'Zoé'))} {r.randrange(10**6)}" for _ in range(count)],
            "texte": [
                " ".join(r.choice(("très", "bien", "reçu", "dossier", "élève")) for _ in range(r.randrange(4, 40))) for _ in range(count)
            ],
        }
    ).with_columns(traite_le=pl.col("recu_le") + pl.duration(days=pl.int_range(pl.len()) % 30))


def made(now, *earlier, **about):
    return suggest(now.lazy(), [e.lazy() for e in earlier], About(**about), "essai/demandes-suggestions")


def of(found, kind, column=None):
    return [e for e in found.suite["expectations"] if e["type"] == kind and (column is None or e["kwargs"].get("column") == column)]


def test_what_is_proposed_for_a_dataset():
    found = made(rows(), key=["id"], required=["texte"])
    expected = found.suite["expectations"]
    assert (found.suite["name"], found.rows, found.versions, found.dropped) == ("essai/demandes-suggestions", 2000, 1, [])
    assert all(e["description"] and set(e) == {"type", "kwargs", "severity", "description"} for e in expected)
    assert [(e["type"], e["kwargs"]["column"]) for e in expected if e["severity"] == "critical"] == [
        ("expect_column_values_to_not_be_null", "id"),
        ("expect_column_values_to_be_unique", "id"),
        ("expect_column_values_to_not_be_null", "texte"),
    ], "only what the project itself declares is critical"
    [count] = of(found, "expect_table_row_count_to_be_between")
    assert count["kwargs"] == {"min_value": 1000}
    [shape] = of(found, "expect_column_values_to_match_regex")
    assert shape["kwargs"] == {"column": "id", "regex": "^DEM-[0-9]{6}$", "mostly": 0.995}
    [listed] = of(found, "expect_column_values_to_be_in_set")
    assert listed["kwargs"] == {"column": "canal", "value_set": sorted(CANALS)}
    ranges = {
        e["kwargs"]["column"]: (e["kwargs"]["min_value"], e["kwargs"]["max_value"]) for e in of(found, "expect_column_values_to_be_between")
    }
    assert ranges["note"] == (0, 100) and ranges["annee"] == (1900, 2100)
    assert ranges["recu_le"] == ("2010-01-01", "2040-01-01")
    assert ranges["montant"][0] == 0 and ranges["montant"][1] in (10_000, 20_000, 50_000)
    [order] = of(found, "expect_column_pair_values_a_to_be_greater_than_b")
    assert (order["kwargs"]["column_A"], order["kwargs"]["column_B"]) == ("traite_le", "recu_le")
    assert of(found, "expect_column_values_to_be_free_of_mojibake", "texte") and of(
        found, "expect_column_value_lengths_to_be_between", "texte"
    )
    assert of(found, ROW_COUNT)[0]["kwargs"] == {"max_drop": 0.2} and of(found, NULL_SHARE)
    assert {e["kwargs"]["column"] for e in of(found, DISTRIBUTION)} == {"canal", "note", "annee", "montant"}


def test_it_is_readable_json_without_a_figure_of_many_digits():
    text = json.dumps(made(rows(), rows(1900, 2)).suite, ensure_ascii=False)
    figures = [
        e["kwargs"].get(k) for e in json.loads(text)["expectations"] for k in ("mostly", "min_value", "max_value", "threshold", "max_drop")
    ]
    assert all(len(f"{f}".rstrip("0").replace(".", "").strip("0")) <= 3 for f in figures if isinstance(f, int | float))


def test_the_values_of_a_sample_are_no_list_without_evidence():
    def listed(values, **about):
        return bool(of(made(pl.DataFrame({"v": values, "n": range(len(values))}), **about), "expect_column_values_to_be_in_set", "v"))

    r = random.Random(3)
    assert listed([r.choice(CANALS) for _ in range(1000)])
    assert not listed([r.choice(CANALS) for _ in range(150)]), "too few rows"
    assert not listed([f"ville {r.randrange(400)}" for _ in range(1000)]), "each value seen twice or three times"
    assert not listed([f"ville {r.randrange(80)}" for _ in range(10_000)]), "nobody reads a list of eighty"
    assert not listed([f"lot {i // 250}" for i in range(1000)]), "each block of rows has values of its own: the next one will, too"
    assert not listed(["constante"] * 1000), "one value is no list"
    assert not listed([r.choice(CANALS) for _ in range(1000)], hidden=["v"]), "values of persons"
    assert listed([r.choice(CANALS) for _ in range(1000)], personal=True)
    assert not listed([r.choice([f"prénom {i}" for i in range(40)]) for _ in range(1000)], personal=True), "each 25 times is not often"


def test_rare_values_are_exceptions_and_not_listed():
    r = random.Random(4)
    values = [r.choice(CANALS) for _ in range(3000)] + ["courier", "Guichet", "tél"]
    r.shuffle(values)
    [listed] = of(made(pl.DataFrame({"v": values, "n": range(3003)})), "expect_column_values_to_be_in_set")
    assert listed["kwargs"]["value_set"] == sorted(CANALS) and listed["kwargs"]["mostly"] < 1


def test_nothing_is_said_of_few_rows():
    found = made(rows(80), key=["id"])
    assert {e["type"] for e in found.suite["expectations"]} == {"expect_column_values_to_not_be_null", "expect_column_values_to_be_unique"}
    assert made(rows(80)).suite["expectations"] == []


def test_no_bound_is_a_value_of_the_sample():
    r = random.Random(8)
    for _ in range(20):
        values = [r.uniform(-50, 7_000) if r.random() < 0.5 else r.paretovariate(1.2) for _ in range(500)]
        [bounds] = of(made(pl.DataFrame({"x": values})), "expect_column_values_to_be_between")
        assert not {bounds["kwargs"].get("min_value"), bounds["kwargs"].get("max_value")} & set(values)
        assert bounds["kwargs"]["max_value"] > 2 * sorted(values)[-10]


@pytest.mark.parametrize(
    ("name", "values", "bounds"),
    [
        ("taux_reussite", [0.5, 0.25, 0.75] * 100, (0, 1)),
        ("pct_femmes", [12.5, 50.0, 75.0] * 100, (0, 100)),
        ("latitude", [48.85, 43.3, -21.1] * 100, (-90, 90)),
        ("score", [0, 50, 100] * 100, (0, 100)),
        ("age", [1, 50, 99] * 100, (1, 1000)),
        ("solde", [-20.0, 5.0, 30.0] * 100, (-500, 500)),
        ("effectif", [0, 3, 7] * 100, (0, 100)),
        ("zero", [0, 0, 0] * 100, (0, None)),
        ("annee", [1850, 1999, 2020] * 100, (1000, 2100)),
    ],
)
def test_natural_ranges(name, values, bounds):
    [found] = of(made(pl.DataFrame({name: values})), "expect_column_values_to_be_between")
    assert (found["kwargs"].get("min_value"), found["kwargs"].get("max_value")) == bounds


def test_a_key_is_a_question_unless_it_is_declared():
    found = made(rows())
    [unique] = of(found, "expect_column_values_to_be_unique")
    assert (unique["kwargs"]["column"], unique["severity"]) == ("id", "warning"), "amounts and sentences may be all different by chance"
    [whole] = of(found, "expect_compound_columns_to_be_unique")
    assert len(whole["kwargs"]["column_list"]) == 9
    both = made(rows().with_columns(pl.col("id").str.slice(0, 8)).unique(["id", "canal"]), key=["id", "canal"])
    assert of(both, "expect_compound_columns_to_be_unique")[0]["kwargs"] == {"column_list": ["id", "canal"]}


def test_what_did_not_hold_on_an_earlier_version_is_not_proposed():
    before = rows(1500, 2).with_columns(canal=pl.lit("minitel"), note=pl.col("note") * 1000, texte=pl.lit(None, pl.String))
    found = made(rows(), before)
    assert found.versions == 2
    assert not of(found, "expect_column_values_to_be_in_set") and not of(found, "expect_column_values_to_not_be_null", "texte")
    assert "note" not in [e["kwargs"]["column"] for e in of(found, "expect_column_values_to_be_between")]
    assert not of(found, DISTRIBUTION, "canal") and not of(found, NULL_SHARE)
    assert {(d.type, d.columns) for d in found.dropped} >= {("expect_column_values_to_be_in_set", "canal"), (NULL_SHARE, "")}
    whys = {d.type: d.why for d in found.dropped}
    assert whys["expect_column_values_to_be_in_set"] == "it did not hold 1 version(s) before this one"
    assert whys[NULL_SHARE] == "it did not hold on this version, beside the one before it"


def test_a_column_that_an_earlier_version_had_not_is_nothing_against_it():
    found = made(rows(), rows(1900, 2).drop("canal"))
    assert of(found, "expect_column_values_to_be_in_set", "canal")


def test_limits_between_versions_have_room_for_what_has_been():
    versions = [rows(n, n) for n in (1000, 700, 1400, 1500)]
    found = made(versions[-1], *versions[:-1])
    assert {tuple(e["kwargs"].items()) for e in of(found, ROW_COUNT)} == {(("max_drop", 0.6),), (("max_growth", 2),)}
    [count] = of(found, "expect_table_row_count_to_be_between")
    assert count["kwargs"] == {"min_value": 200}, "half of the smallest, rounded down"


def test_what_is_there_already_is_not_proposed_again():
    found = made(rows(), existing={("expect_column_values_to_be_in_set", "canal"), (ROW_COUNT, "")})
    assert not of(found, "expect_column_values_to_be_in_set") and not of(found, ROW_COUNT) and of(found, NULL_SHARE)


def test_nothing_of_a_hidden_column_but_figures():
    found = made(rows(), key=["id"], hidden=["nom", "canal"], personal=True)
    text = json.dumps(found.suite, ensure_ascii=False)
    assert not any(value in text for value in (*rows()["nom"].head(500), *CANALS))


def test_formats_of_french_administrations():
    from flows.quality.french import lists

    r = random.Random(6)

    def siren():
        body = [r.randrange(10) for _ in range(8)]
        body[0] = body[0] or 1
        rest = sum(sum(divmod(d * 2, 10)) if n % 2 else d for n, d in enumerate(body))
        return "".join(map(str, body)) + str(-rest % 10)

    def code(name, *kinds):
        known = lists.codes(name, *kinds).sort()
        return [known[r.randrange(len(known))] for _ in range(1000)]

    count = range(1000)
    frame = pl.DataFrame(
        {
            "entreprise": [siren() for _ in count],
            "metier": code("rome"),
            "cp": code("postal_codes"),
            "cp_cedex": [c if i % 20 else c[:2] + "999" for i, c in enumerate(code("postal_codes"))],
            "geo": [f"{r.uniform(46, 48):.6f}, {r.uniform(1, 4):.6f}" for _ in count],
            "lieu": [c if i % 200 else "inconnu" for i, c in enumerate(code("communes", "commune"))],
            "contact": [f"service{i}@ville-{r.randrange(50)}.fr" for i in count],
            "tel": [f"01 40 {r.randrange(10, 99)} {r.randrange(10, 99)} {r.randrange(10, 99)}" for _ in count],
            "le": [f"{r.randrange(1, 29):02}/{r.randrange(1, 13):02}/20{r.randrange(10, 25)}" for _ in count],
            "numero": [f"{r.randrange(10**9):09}" for _ in count],
            "longitude": [r.uniform(0, 5) for _ in count],
            "latitude": [r.uniform(44, 48) for _ in count],
        }
    )
    found = {
        e["kwargs"].get("column"): e["type"].removeprefix("expect_column_values_to_")
        for e in made(frame).suite["expectations"]
        if "mostly" in e["kwargs"] and "null" not in e["type"]
    }
    assert {k: found[k] for k in ("entreprise", "metier", "cp", "cp_cedex", "geo", "lieu", "contact", "tel", "le", "numero")} == {
        "entreprise": "be_siren",
        "metier": "be_rome",
        "cp": "be_postal_code",
        "cp_cedex": "be_postal_code",
        "geo": "be_points_in_france",
        "lieu": "be_commune",
        "contact": "be_email",
        "tel": "be_french_phone",
        "le": "be_french_date",
        "numero": "match_regex",
    }
    cedex = {e["kwargs"]["column"]: e["kwargs"].get("cedex") for e in of(made(frame), "expect_column_values_to_be_postal_code")}
    assert cedex == {"cp": None, "cp_cedex": True}
    [pair] = of(made(frame), "expect_column_pair_values_to_be_in_france")
    assert (pair["kwargs"]["column_A"], pair["kwargs"]["column_B"]) == ("longitude", "latitude")


def unmet(suite, now, before):
    from flows.quality.expectations import evaluate, select
    from flows.quality.previous import evaluate_previous, on_previous
    from flows.quality.suites import Suite

    whole = Suite("s", suite["expectations"], "")
    found = [e.result for selection in select([whole]) for e in evaluate(now.lazy(), selection, show_values=False)]
    found += [e.result for e in evaluate_previous(now.lazy(), before.lazy(), on_previous([whole]), show_values=False)]
    return {r.rule for r in found if not r.success}


def test_it_holds_for_rows_like_these_and_not_for_spoilt_ones():
    before, now = rows(), rows(2100, 2, start=50_000)
    suite = made(before, key=["id"]).suite
    assert unmet(suite, now, before) == set()
    misread = now.with_columns(pl.col("texte").map_elements(lambda t: t.encode().decode("cp1252"), return_dtype=pl.String))
    spoilt = {
        "mojibake:texte": misread,
        "row_count": now.head(500),
        "unique:id": pl.concat([now, now.head(300)]),
        "between:note": now.with_columns(pl.col("note") * 100),
        "not_be_null:recu_le": now.with_columns(recu_le=pl.when(pl.col("recu_le").dt.day() <= 12).then("recu_le")),
        "in_set:canal": now.with_columns(canal=pl.col("texte")),
        "greater_than": now.rename({"recu_le": "traite_le", "traite_le": "recu_le"}),
        "regex:id": now.with_columns(pl.col("id").str.to_lowercase()),
        "distribution": now.with_columns(canal=pl.lit("guichet")),
    }
    for expected, frame in spoilt.items():
        kind, _, column = expected.partition(":")
        assert any(kind in rule and rule.endswith(column) for rule in unmet(suite, frame, before)), expected


STRANGE = pl.DataFrame(
    {
        "vide": pl.Series([None] * 300, dtype=pl.String),
        "rien": pl.Series([None] * 300),
        "a.b c": ["x", "y", "z"] * 100,
        "select": [1, 2, 3] * 100,
        "été": pl.Series(["a", "b", "c"] * 100, dtype=pl.Categorical),
        "liste": [[1, 2]] * 300,
        "objet": [{"a": 1}] * 300,
        "octets": [b"x"] * 300,
        "prix": [Decimal("1.50"), Decimal("2.75"), None] * 100,
        "infini": [float("inf"), float("-inf"), float("nan"), 1.0] * 75,
        "quand": [datetime(2024, 1, 1, tzinfo=UTC)] * 300,
        "oui": [True, False, None] * 100,
    }
)


def test_columns_of_every_type_and_name():
    found = made(STRANGE)
    assert [d for d in found.dropped if "could not be evaluated" in d.why] == []
    about = {c for e in found.suite["expectations"] for c in [e["kwargs"].get("column")] if c}
    assert {"a.b c", "select", "prix", "quand", "oui"} <= about and "vide" not in about and "rien" not in about
    assert made(STRANGE.clear()).suite["expectations"] == [] and made(STRANGE.head(1)).suite["expectations"] == []


@given(
    st.lists(st.one_of(st.none(), st.floats(), st.just(0.0)), min_size=100, max_size=140),
    st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=140, max_size=140),
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_values_what_is_proposed_holds(numbers, texts):
    found = made(pl.DataFrame({"n": pl.Series(numbers, dtype=pl.Float64), "t": pl.Series(texts[: len(numbers)], dtype=pl.String)}))
    assert found.dropped == [], "nothing has to be taken back on the very rows that it was made from"
