"""What a card says of where a version comes from: what for, which data, which training, at what cost, and how to make it again."""

from __future__ import annotations

import json
from typing import Any

from flows.training.card.words import Words, code, plain
from flows.training.search import sentence

Facts = dict[str, Any]
STOPPED = {
    "max_minutes": ("budget de temps épuisé", "its time budget was spent"),
    "max_kwh": ("budget d'énergie épuisé", "its energy budget was spent"),
    "patience": ("le score de validation ne progressait plus", "the validation score did not improve any more"),
    "not_a_number": ("la perte n'était plus un nombre", "the loss was no number any more"),
}
DOES = {
    "token-classification": ("y repère des entités", "finds entities in it"),
    "tabular-regression": ("prévoit un nombre", "predicts a number"),
    "text-similarity": ("le rapproche des textes qui disent la même chose", "finds texts that say the same"),
    "masked-lm": ("en connaît les mots : il sert de base à d'autres modèles", "knows its words: other models begin with it"),
    "causal-lm": ("rédige une réponse", "writes an answer"),
}
"""task -> what it does with what it reads; classification has labels."""
HOW = {"measured": (", mesurée", ", measured"), "estimated": (", estimée", ", estimated")}
HIDDEN = ("kind", "label", "parts", "base_model", "sha256", "licence")
"""Settings of a candidate that are said elsewhere."""
PERSONAL = {
    "none": ("déclaré sans données personnelles", "declared to hold no personal data"),
    "personal": ("déclaré contenant des données personnelles", "declared to hold personal data"),
    "sensitive": ("déclaré contenant des données sensibles", "declared to hold sensitive data"),
}


def purpose(f: Facts, w: Words) -> str:
    labels, read = f["labels"], w.names(f["inputs"])
    french, english = DOES.get(f["task"], ("répond", "answers"))
    if labels and f["task"] not in DOES:
        french, english = "répond par un libellé parmi", "answers with one label of"
    if labels and f["about"].get("several"):
        french, english = "répond par des libellés parmi", "answers with labels of"
    named = f"{w(' : ', ': ')}{w.names(labels)}" if labels else ""
    said = [w(f"Il lit {read} et {french}{named}.", f"It reads {read} and {english}{named}.")]
    if f["purpose"]:
        said.append(plain(f["purpose"]) + w("", " (as the project wrote it, in French)"))
    said.append(w("C'est une aide : il ne prend aucune décision seul.", "It is an aid: it takes no decision by itself."))
    return "\n\n".join(said)


def data(f: Facts, w: Words) -> str:
    d = f["dataset"]
    licence = plain(d["licence"]) if d["licence"] else w("non précisée", "not stated")
    about = w(
        f"Jeu de données `{d['reference']}` (« {plain(d['title'])} »), licence : {licence} ; chargement `{d['load_id']}`.",
        f"Dataset `{d['reference']}` (“{plain(d['title'])}”), licence: {licence}; load `{d['load_id']}`.",
    )
    if d.get("personal_data") in PERSONAL:
        said = w(*PERSONAL[d["personal_data"]])
        about += w(f" Il est {said}.", f" It is {said}.")
    names = {"train": ("entraînement", "training"), "validation": ("validation", "validation"), "test": ("test", "test")}
    table = w.table([w("côté", "side"), w("exemples", "examples")], [[w(*names[side]), w.count(n)] for side, n in d["rows"].items()])
    return "\n\n".join([about, table, *(s for s in (_split(f["split"], w), _left_out(f, w), _two_sides(f, w)) if s)])


def _split(split: dict[str, Any], w: Words) -> str:
    group = ""
    if split.get("group"):
        group = w(
            f" Toutes les lignes d'une même entité (`{split['group']}`) sont du même côté.",
            f" All rows of one entity (`{split['group']}`) are on one side.",
        )
    if split.get("by") == "time":
        column, start = split["column"], split["test_from"]
        return w(
            f"Le test est fait des lignes dont `{column}` est {start} ou après ; l'entraînement, d'avant.{group}",
            f"The test side are the rows whose `{column}` is {start} or later; training is on earlier ones.{group}",
        )
    return group.strip() or w("Le côté d'une ligne dépend de sa clé seule.", "The side of a row depends on its key alone.")


def _left_out(f: Facts, w: Words) -> str:
    found = {why: n for why, n in f["dataset"]["left_out"].items() if n}
    if not found:
        return w("Toutes les lignes ont pu servir.", "Every row could be used.")
    total = sum(found.values())
    said = ", ".join(
        f"{w.count(n)} {plain(f['reasons'].get(why, why)) if w.french else why.replace('_', ' ')}"
        for why, n in sorted(found.items(), key=lambda i: -i[1])
    )
    return w(
        f"Lignes qui n'ont pas pu servir : {w.count(total)}, dont {said}.",
        f"Rows that could not be used: {w.count(total)}, of which {said}.",
    )


def _two_sides(f: Facts, w: Words) -> str:
    report = f["report"].get("sides")
    if not report:
        return ""
    names = {"train": w("l'entraînement", "training"), "validation": w("la validation", "validation"), "test": w("le test", "test")}
    found = [p for p in report["pairs"] if p["exact"] + p["near"]]
    if not found:
        return w(
            "Aucun texte ne se trouve de deux côtés, ni mot pour mot ni presque.", "No text stands on two sides, word for word or nearly."
        )
    separator = w(" ; ", "; ")
    said = separator.join(_pair(p, names, w) for p in found)
    return w(f"Textes qui se trouvent de deux côtés : {said}.", f"Texts that stand on two sides: {said}.")


def _pair(p: dict[str, Any], names: dict[str, str], w: Words) -> str:
    exact, near, share = w.count(p["exact"]), w.count(p["near"]), w.percent(p["share"])
    return w(
        f"dans {names[p['side']]} et {names[p['against']]}, {exact} mot pour mot et {near} presque ({share})",
        f"in {names[p['side']]} and {names[p['against']]}, {exact} word for word and {near} nearly ({share})",
    )


def cost(f: Facts, w: Words) -> str:
    c = f["cost"]
    parameters = int(c["parameters"])
    trained = int(c.get("trained_parameters", parameters))
    lines = [
        [w("durée d'entraînement", "training time"), f"{w.duration(c['train_seconds'])} ({w.several(int(c['cores']), 'cœur', 'core')})"],
        [w("paramètres (entraînés)", "parameters (trained)"), f"{w.count(parameters)} ({w.count(trained)})"],
        [w("taille", "size"), f"{w.figure(c['size_bytes'] / 1e6, 1)} {w('Mo', 'MB')}"],
    ]
    took = f["training"].get("took", {})
    if took.get("memory_gb"):
        lines.append([w("mémoire, au plus", "memory, at most"), f"{w.figure(took['memory_gb'], 1)} {w('Go', 'GB')}"])
    if c.get("energy_kwh") is not None:
        how = w(*HOW.get(took.get("energy", ""), ("", "")))
        kwh, small = c["energy_kwh"], c["energy_kwh"] < 0.1
        lines.append(
            [
                w(f"énergie (CodeCarbon{how})", f"energy (CodeCarbon{how})"),
                f"{w.figure(1000 * kwh if small else kwh, 2)} {'Wh' if small else 'kWh'}",
            ]
        )
    if c.get("co2_kg") is not None:
        lines.append([w("émissions", "emissions"), f"{w.figure(1000 * c['co2_kg'], 2)} g CO₂e"])
    return w.table([w("grandeur", "quantity"), w("valeur", "value")], lines)


def training(f: Facts, w: Words) -> str:
    settings = ", ".join(f"{k} = {_value(v)}" for k, v in f["candidate"].items() if k not in HIDDEN and v is not None)
    said = [
        w(f"Candidat {code(f['candidate']['label'])}", f"Candidate {code(f['candidate']['label'])}")
        + (f"{w(' : ', ': ')}{settings}." if settings else ".")
    ]
    said[0] += " " + _base(f["base_model"], w)
    if record := f["training"].get("search"):
        said.append(plain(sentence(record, w.french)))
    said += [s for s in (_course(f["training"], w), _notices(f["training"].get("notices", []), w)) if s]
    said.append(_made_with(f, w))
    return "\n\n".join(said)


def _value(value: Any) -> str:
    return code(json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value)


def _base(base: dict[str, str], w: Words) -> str:
    if not base:
        return w("Entraîné sans modèle préalable.", "It began with no pretrained model.")
    licence = plain(base["licence"]) if base.get("licence") else w("non précisée", "not stated")
    return w(
        f"Part de {code(base['name'])} (licence : {licence} ; sha256 des poids `{base['sha256']}`).",
        f"It began with {code(base['name'])} (licence: {licence}; sha256 of the weights `{base['sha256']}`).",
    )


def _course(t: dict[str, Any], w: Words) -> str:
    """How a training of several steps went."""
    parts = []
    if t.get("steps"):
        epochs = f" ({w.figure(t['epochs'], 2)} {w('époque(s)', 'epoch(s)')})" if t.get("epochs") else ""
        parts.append(w(f"{w.count(t['steps'])} étapes{epochs}", f"{w.count(t['steps'])} steps{epochs}"))
    if t.get("batch_size"):
        rows = t["batch_size"] * t.get("accumulate", 1) * t.get("processes", 1)
        parts.append(w(f"{w.count(rows)} lignes par étape", f"{w.count(rows)} rows a step"))
    if t.get("precision"):
        parts.append(w(f"précision {t['precision']}", f"{t['precision']} precision"))
    if t.get("stopped"):
        why = w(*STOPPED.get(t["stopped"], (t["stopped"], t["stopped"])))
        parts.append(w(f"arrêté avant la fin : {why}", f"stopped before its end: {why}"))
    if t.get("best_step"):
        parts.append(w(f"meilleurs poids à l'étape {w.count(t['best_step'])}", f"best weights at step {w.count(t['best_step'])}"))
    if t.get("resumed_from"):
        parts.append(
            w(
                f"interrompu, et repris de l'étape {w.count(t['resumed_from'])}",
                f"interrupted, and resumed from step {w.count(t['resumed_from'])}",
            )
        )
    if t.get("out_of_memory"):
        parts.append(
            w(
                f"mémoire insuffisante {w.count(t['out_of_memory'])} fois, lots réduits",
                f"memory ran out {w.count(t['out_of_memory'])} times, smaller batches",
            )
        )
    return w("Entraînement : ", "Training: ") + w(" ; ", "; ").join(parts) + "." if parts else ""


def _notices(notices: list[str], w: Words) -> str:
    said = "\n".join(f"- {plain(n)}" for n in notices)
    return (w("À savoir :", "Noticed (in French):") + "\n\n" + said) if said else ""


def _made_with(f: Facts, w: Words) -> str:
    found = f.get("environment") or {}
    if not found:  # an older manifest has them as a sentence
        return f"Socle {f['made']['code']}" + (f"{w(' ; ', '; ')}{f['made']['libraries']}" if f["made"].get("libraries") else "") + "."
    libraries = ", ".join([f"Python {found['python']}", *(f"{name} {version}" for name, version in found["libraries"].items())])
    m, revision = found["machine"], found["code"]["revision"]
    machine = ", ".join(str(p) for p in (m["system"], m["processor"], w.several(m["cores"], "cœur", "core"), m["gpu"]) if p)
    socle = f"Socle {found['code']['version']}" + (f" (git `{revision}`)" if revision else "")
    return f"{socle}{w(' ; ', '; ')}{libraries}{w(' ; ', '; ')}{plain(machine)}."


def again(f: Facts, w: Words) -> str:
    said = w(
        "`N` est le numéro de cette version. La commande refait le modèle à partir de son manifeste, compare réponses et scores, et ne "
        "publie rien.",
        "`N` is the number of this version. The command makes the model again from its manifest, compares answers and scores, and commits "
        "nothing.",
    )
    return f"```sh\nsocle reproduce {f['reference']}@N\n```\n\n{said}"
