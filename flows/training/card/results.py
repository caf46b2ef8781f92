"""What a card says of how good a version is: scores, labels, groups, calibration, thresholds, errors, labels that look wrong, limits."""

from __future__ import annotations

from typing import Any

from flows.training.card.words import Words, plain
from flows.training.evaluation import groups

LABELS, CONFUSED, WEAK, ERRORS = 40, 5, 10, 5  # lines of tables
FEW = 30  # test rows of a label below which its figures say little
Facts = dict[str, Any]


def scores(f: Facts, w: Words) -> str:
    test, validation = f["metrics"]["test"], f["metrics"]["validation"]
    lines = [
        [
            w.metric(name) + (w(" (celle qui décide)", " (the one that decides)") if name == f["metric"] else ""),
            w.figure(other),
            w.interval(score),
        ]
        for name, score in test.items()
        if isinstance(score, dict) and "value" in score
        for other in [validation.get(name, {}).get("value")]
    ]
    head = [w("mesure", "metric"), w("validation", "validation"), w("test (intervalle à 95 %)", "test (95% interval)")]
    rows = w.several(test["rows"], "exemple", "example")
    said = w(
        f"Sur {rows} de test. Le choix entre candidats, l'arrêt, la calibration et les seuils se font sur la validation ; le test n'est "
        "que rapporté. Intervalles par rééchantillonnage (bootstrap).",
        f"On {rows} of the test side. Candidates, stopping, calibration and thresholds are chosen on the validation side; the test side "
        "is only reported. Intervals by bootstrap.",
    )
    return f"{w.table(head, lines)}\n\n{said}"


def labels(f: Facts, w: Words) -> str:
    """A table of the labels, and which are taken for each other most often."""
    test = f["metrics"]["test"]
    found = test.get("per_label") or []
    if not found:
        return ""
    shown = sorted(found, key=lambda p: -p["rows"])[:LABELS] if len(found) > LABELS else found
    lines = [[plain(p["label"]), w.count(p["rows"]), w.figure(p["precision"]), w.figure(p["recall"]), w.figure(p.get("f1"))] for p in shown]
    head = [w("libellé", "label"), w("lignes", "rows"), w("précision", "precision"), w("rappel", "recall"), "F1"]
    parts = [w("### Par libellé, sur le test", "### By label, on the test side"), w.table(head, lines)]
    if len(found) > len(shown):
        parts.append(
            w(
                f"Les {len(shown)} libellés les plus fréquents, sur {len(found)} ; les autres sont dans `metrics.json`.",
                f"The {len(shown)} most frequent labels of {len(found)}; the others are in `metrics.json`.",
            )
        )
    if confused := test.get("confused"):
        pairs = [f"{w.names([c['truth']])} → {w.names([c['predicted']])} ({w.count(c['rows'])})" for c in confused[:CONFUSED]]
        parts.append(
            w("Confusions les plus fréquentes (vrai → proposé) : ", "Most frequent confusions (true → proposed): ") + ", ".join(pairs) + "."
        )
    return "\n\n".join(parts)


def weak_groups(f: Facts, w: Words) -> str:
    report = f["report"].get("groups")
    if not report:
        return ""
    metric, columns = report["metric"], report["columns"]
    found = groups.weak(report)
    parts = [w("### Par groupe", "### By group")]
    counts = ", ".join(
        f"`{name}` ({w.several(len(c['groups']) + c['others']['groups'], 'valeur', 'value')})" for name, c in columns.items()
    )
    parts.append(
        w(
            f"Score mesuré séparément selon {counts}, là où il y a au moins {groups.FEWEST} lignes de test.",
            f"Scored separately by {counts}, where there are at least {groups.FEWEST} test rows.",
        )
    )
    if not found:
        parts.append(w("Aucun groupe n'est nettement moins bien servi que l'ensemble.", "No group is clearly served worse than the whole."))
        return "\n\n".join(parts)
    unknown = w("non renseigné", "not known")
    lines = [
        [f"`{g['column']}`", plain(g["value"]) if g["value"] is not None else unknown, w.count(g["rows"]), w.interval(g[metric])]
        for g in found[:WEAK]
    ]
    whole = w.figure(report[metric]["value"])
    parts.append(
        w(
            f"Nettement moins bien servis que l'ensemble ({w.metric(metric)} : {whole}) :",
            f"Clearly served worse than the whole ({w.metric(metric)}: {whole}):",
        )
    )
    parts.append(w.table([w("colonne", "column"), w("valeur", "value"), w("lignes", "rows"), w.metric(metric)], lines, texts=2))
    if len(found) > WEAK:
        parts.append(w(f"Et {len(found) - WEAK} autres, dans `evaluation.json`.", f"And {len(found) - WEAK} others, in `evaluation.json`."))
    return "\n\n".join(parts)


def sureness(f: Facts, w: Words) -> str:
    """Calibration, and the threshold with its promise."""
    parts = []
    if measured := f["report"].get("calibration"):
        error, ends = measured["ece"], f"{w.percent(measured['ece']['low'])} – {w.percent(measured['ece']['high'])}"
        noise = error["value"] <= measured["by_chance"]
        parts.append(
            w(
                f"Une probabilité annoncée s'écarte en moyenne de {w.percent(error['value'])} de la part de réponses justes (erreur de "
                f"calibration sur le test, intervalle {ends})" + (" : pas plus que ce que le hasard explique." if noise else "."),
                f"A stated probability is off the share of right answers by {w.percent(error['value'])} on average (expected calibration "
                f"error on the test side, interval {ends})" + (": no more than chance explains." if noise else "."),
            )
        )
    if promise := f["report"].get("thresholds"):
        parts.append(_promise(promise, w))
    return "\n\n".join([w("### Peut-on se fier à ses probabilités ?", "### Can its probabilities be trusted?"), *parts]) if parts else ""


def _promise(promise: dict[str, Any], w: Words) -> str:
    wanted = w.percent(promise["at_least"], 0)
    if promise["threshold"] is None:
        return w(
            f"Aucun seuil ne permet de promettre {wanted} de réponses justes : une personne relit chaque réponse.",
            f"No threshold promises {wanted} of right answers: a person reads each of them.",
        )
    at, share, right = w.figure(promise["threshold"], 2), promise["on_test"]["share"], promise["on_test"]["accuracy"]
    answered = w.percent(share["value"])
    if right["value"] is None:
        return w(
            f"Au seuil {at}, choisi sur la validation, aucune ligne du test ne reçoit de réponse.", f"At {at}, no test row gets an answer."
        )
    found = f"{w.percent(right['value'])} ({w.percent(right['low'])} – {w.percent(right['high'])})"
    if right["value"] >= promise["at_least"]:
        verdict = w("Promesse tenue.", "The promise is kept there.")
    elif right["high"] >= promise["at_least"]:
        verdict = w("C'est moins que promis, mais pas au-delà du hasard.", "That is less than promised, but not beyond chance.")
    else:
        verdict = w("Promesse non tenue.", "The promise is not kept there.")
    return w(
        f"Pour {wanted} de réponses justes, ne garder que celles dont la probabilité atteint {at} (choisi sur la validation) : sur le "
        f"test, {answered} des lignes reçoivent une réponse, dont {found} justes. {verdict}",
        f"For {wanted} of right answers, keep those whose probability reaches {at} (chosen on the validation side): on the test side "
        f"{answered} of the rows get an answer, of which {found} are right. {verdict}",
    )


def suspicious(f: Facts, w: Words) -> str:
    """How many labels look wrong. Which ones is in evaluation.json, by the name of the row."""
    found = f["report"].get("label_problems")
    if not found:
        return ""
    title = w("### Étiquettes à vérifier", "### Labels to check")
    if not found["suspects"]:
        return title + "\n\n" + w("Aucune étiquette du test ne paraît fausse.", "No label of the test side looks wrong.")
    pairs = [f"{w.names([p['given']])} → {w.names([p['suggested']])} ({w.count(p['rows'])})" for p in found["pairs"][:CONFUSED]]
    count, share, most = w.count(found["suspects"]), w.percent(found["suspects"] / found["rows"]), ", ".join(pairs)
    said = w(
        f"{count} étiquette(s) du test ({share}) paraissent fausses : le modèle, qui n'a pas appris d'elles, est plus sûr d'une autre. Le "
        f"plus souvent (donnée → proposée) : {most}. Rien n'a été corrigé ni retiré ; `evaluation.json` dit lesquelles.",
        f"{count} label(s) of the test side ({share}) look wrong: the model, which did not learn from them, is surer of another. Most "
        f"often (given → suggested): {most}. Nothing was corrected or left out; `evaluation.json` says which.",
    )
    return f"{title}\n\n{said}"


def wrong_answers(f: Facts, w: Words) -> str:
    """Some errors, as masked as the report has them."""
    found = f["report"].get("errors")
    if not found or not found["errors"]:
        return ""
    shown = [*found["surest"][:ERRORS], *found["by_chance"][:ERRORS]]
    hidden = w("(non montré)", "(not shown)")
    lines = [
        [plain(e["text"]) if e["text"] is not None else hidden, plain(e["truth"]), plain(e["predicted"]), w.percent(e["probability"], 0)]
        for e in shown
    ]
    errors, rows = w.count(found["errors"]), w.count(found["rows"])
    said = w(
        f"{errors} erreurs sur {rows} lignes de test. Les plus sûres d'elles-mêmes, puis quelques-unes au hasard ; textes coupés, données "
        "personnelles masquées.",
        f"{errors} errors in {rows} test rows. The surest ones, then some by chance; texts are cut, personal data is masked.",
    )
    head = [w("texte", "text"), w("vrai", "true"), w("proposé", "proposed"), w("probabilité", "probability")]
    return "\n\n".join([w("### Des erreurs", "### Some errors"), said, w.table(head, lines, texts=3)])


def limits(f: Facts, w: Words) -> str:
    """Those that the project declares, and those that were measured."""
    known = [p for p in f["metrics"]["test"].get("per_label") or [] if p["recall"] is not None and p["rows"] >= FEW]
    rare = [str(p["label"]) for p in f["metrics"]["test"].get("per_label") or [] if p["rows"] < FEW]
    weak = sorted(known, key=lambda p: p["recall"])[:2] if len(known) > 1 else []
    lines = [plain(limit) for limit in f["limits"]]
    if lines and not w.french:
        lines[0] += " (as the project wrote it, in French)"
    if weak:
        named = ", ".join(f"{w.names([p['label']])} ({w('rappel', 'recall')} {w.figure(p['recall'])})" for p in weak)
        lines.append(w(f"Là où il est le plus faible : {named}.", f"Where it is weakest: {named}."))
    if rare:
        lines.append(
            w(
                f"Trop peu de lignes de test (moins de {FEW}) pour juger : {w.names(rare)}.",
                f"Too few test rows (under {FEW}) to judge: {w.names(rare)}.",
            )
        )
    if (report := f["report"].get("groups")) and (found := groups.weak(report)):
        named = ", ".join(f"`{g['column']}` = {w.names([g['value'] or '–'])}" for g in found[:WEAK])
        lines.append(w(f"Groupes nettement moins bien servis : {named}.", f"Groups that are clearly served worse: {named}."))
    lines += [leak for leak in [_leak(f, w)] if leak]
    lines.append(
        w(
            "Mesuré sur des données de même origine que celles de l'entraînement ; sur d'autres, il peut faire moins bien.",
            "Measured on data of the same origin as those of training; on others it may do worse.",
        )
    )
    return "\n".join(f"- {line}" for line in lines)


def _leak(f: Facts, w: Words) -> str:
    pairs = [p for p in (f["report"].get("sides") or {}).get("pairs", []) if p["side"] == "test" and p["exact"] + p["near"]]
    if not pairs:
        return ""
    share = w.percent(max(p["share"] for p in pairs))
    return w(
        f"Jusqu'à {share} des textes du test se trouvent aussi, à l'identique ou presque, d'un autre côté : les scores peuvent en être "
        "un peu flattés.",
        f"Up to {share} of the test texts stand, word for word or nearly, on another side, too: scores may be flattered by that.",
    )
