"""What a replay says of itself to a project team, in French: how many refused rows were tried, what became of them, what to do next."""

from __future__ import annotations

from flows.quality.words import counted
from flows.steps import Run
from flows.steps.replay import NOTHING_OPEN, SAME_RULES, Replayed

TITLE = "Ce que la reprise des lignes écartées a donné"
WHY_NOTHING = {
    NOTHING_OPEN: "Aucune ligne écartée ne peut encore entrer : rien n'a été repris.",
    SAME_RULES: "Ces lignes ont été écartées par les règles d'aujourd'hui, et personne ne les a corrigées : rien n'a été repris.",
}


def text(run: Run, done: Replayed) -> str:
    lines = [f"# {TITLE} : {run.project.datasets[done.dataset].title}"]
    if done.tried:
        counts = f"{counted(done.let_in, 'entrée')}, {counted(done.refused, 'écartée')} de nouveau"
        lines.append(f"**{counted(done.tried, 'ligne reprise')}** : {counts}.")
    lines += [WHY_NOTHING[reason] for reason in done.reasons if reason in WHY_NOTHING]
    loaded = [o.version.number for o in done.outcomes if o.action == "loaded" and o.version]
    if loaded:
        lines.append(f"La version {loaded[-1]} est servie. Les modèles suivront à la prochaine exécution de `pipeline`.")
    elif done.exit_code:
        lines.append("**La reprise a été refusée en entier** : rien n'a changé, ce qui était publié le reste.")
    return "\n\n".join([*lines, f"**À faire** : {_todo(run, done)}"])


def _todo(run: Run, done: Replayed) -> str:
    if done.exit_code:
        return "regarder la page des contrôles, faire corriger les lignes ou la règle en cause, puis relancer."
    if done.refused or SAME_RULES in done.reasons:
        who = f"avec l'ingénieur du projet, corriger ces lignes (`socle quarantine {run.project.name}/{done.dataset} --export`)"
        return f"{who} ou la règle en cause, puis relancer."
    return "rien."
