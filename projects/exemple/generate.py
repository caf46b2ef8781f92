"""Writes data/demandes.csv: invented requests to the help desk of an administration that does not exist.

Every sentence was written for this file; nothing comes from a real request. The same seed gives the same bytes:
`python projects/exemple/generate.py`. A few rows are wrong on purpose (WRONG), so that the quarantine has something to show.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from datetime import date, timedelta
from pathlib import Path
from random import Random

SEED, COUNT = 2025, 1500
COLUMNS = ["id", "recu_le", "canal", "texte", "theme"]

VAGUE = 0.07  # share of messages whose words say nothing of their theme
CROSSED = 0.20  # share of the others that also mention a matter of another theme
MISTYPED = 0.25  # share of messages with typing errors

SHARES = {
    "Compte en ligne": 28,
    "Pièces d'identité": 24,
    "Impôts et taxes": 18,
    "Logement": 14,
    "Permis et véhicules": 10,
    "État civil": 6,
}

MATTERS = {
    "Compte en ligne": """mon mot de passe|mon espace personnel|mon identifiant|mon compte en ligne|mon code de vérification
        mon adresse de messagerie|mon inscription sur le site|mon formulaire en ligne|la double authentification|mon profil""",
    "Pièces d'identité": """ma carte d'identité|mon passeport|la carte d'identité de ma fille|le passeport de mon fils
        mon titre de voyage|ma pré-demande de carte|mon passeport biométrique|mon ancienne carte nationale|ma photo d'identité""",
    "Impôts et taxes": """mon avis d'imposition|ma taxe foncière|ma déclaration de revenus|mon prélèvement mensuel
        mon crédit d'impôt|mon échéancier de paiement|la taxe sur les ordures ménagères|mon avis de non-imposition|ma majoration""",
    "Logement": """ma demande de logement social|mon aide au logement|mon dossier de relogement|mon bail|ma quittance de loyer
        mon attestation d'hébergement|mon dépôt de garantie|ma prime de rénovation|mon appartement humide""",
    "Permis et véhicules": """mon permis de conduire|ma carte grise|mon relevé de points|mon certificat de cession|mon amende
        ma vignette de stationnement|mon permis international|mon contrôle technique|ma nouvelle plaque""",
    "État civil": """mon acte de naissance|mon livret de famille|mon acte de mariage|l'acte de décès de mon grand-père
        ma déclaration de naissance|mon dossier de mariage|mon changement de prénom|mon attestation de pacs""",
}

# What people tell, one story a line: [one/or the other], {it} a matter of the theme, {since} a length of time, {when} a past moment.
STORIES = {
    "Compte en ligne": """Je n'arrive plus à me connecter [depuis {since}/à mon espace personnel/au site]
        Le site affiche une page blanche quand je [valide le formulaire/veux ouvrir mon profil/clique sur le lien]
        J'ai oublié [mon mot de passe/mon identifiant] et le lien de réinitialisation n'arrive jamais
        Mon compte est bloqué après trois essais
        Je ne reçois pas le code par [SMS/courriel]
        J'ai changé de [numéro de téléphone/messagerie] et je ne peux plus confirmer mon identité
        Le bouton pour [envoyer la pièce jointe/passer à l'étape suivante] reste grisé
        Le message « session expirée » revient sans arrêt
        Mon fichier est trop lourd et [le téléversement échoue/le site le refuse]
        Je voudrais supprimer [mon compte en ligne/mon inscription sur le site]
        La page plante au moment de signer [la demande de carte/la déclaration/la demande de logement]
        Deux comptes existent à mon nom et je ne sais pas lequel garder
        Je ne retrouve pas mon [avis d'imposition/attestation/acte] dans l'onglet des documents""",
    "Pièces d'identité": """J'ai perdu [ma carte d'identité/mon passeport/mes papiers] {when}
        On m'a volé mon sac et [mon passeport/ma carte d'identité] était dedans
        Je pars à l'étranger dans {since} et je n'ai toujours pas [mon passeport/ma carte/mon titre]
        La photo [a été refusée/n'est pas conforme]
        La mairie n'a plus de créneau avant {since} pour [renouveler ma carte/le passeport/la prise d'empreintes]
        Mon nom d'usage ne figure pas sur [ma carte/mon passeport]
        Je n'ai pas reçu le SMS qui annonce que [le titre est prêt/je peux venir le chercher]
        Mon timbre fiscal n'est pas accepté
        Mes empreintes doivent être reprises et je ne sais pas pourquoi
        Il me faut un titre en urgence pour un voyage [scolaire/professionnel]
        Je voudrais changer l'adresse inscrite sur [ma carte/mes papiers]
        La pré-demande faite sur le site a disparu
        [Ma carte/Mon passeport] expire dans {since}""",
    "Impôts et taxes": """Le montant à payer a doublé par rapport à l'an dernier
        J'ai été prélevé deux fois {when}
        Je demande un délai de paiement [pour ma taxe foncière/pour le solde/à cause d'une perte d'emploi]
        J'ai oublié de déclarer [un revenu/une pension/une location]
        Mes parts ne tiennent pas compte de [la naissance de mon enfant/mon mariage/ma séparation]
        J'ai vendu [mon appartement/mon garage] et je reçois encore la taxe
        Je conteste la pénalité de retard
        Le remboursement du trop-perçu n'est pas arrivé [depuis {since}/sur mon compte]
        Je me suis trompé de case en remplissant [ma déclaration/le formulaire]
        Nous venons de nous [pacser/marier] et je ne sais pas s'il faut déclarer ensemble
        Ma banque a rejeté le [virement/prélèvement]
        On me demande un justificatif de [frais réels/dons/garde d'enfant]
        Le service de télépaiement refuse ma carte bancaire""",
    "Logement": """Mon propriétaire refuse de me rendre la caution depuis {since}
        Je vis à cinq dans deux pièces et rien ne bouge
        [Le chauffage/L'ascenseur/L'eau chaude] est en panne depuis {since}
        Mon loyer a augmenté {when} sans explication
        L'allocation n'a pas été versée [le mois dernier/depuis {since}]
        Je dois quitter les lieux dans {since} et je cherche une solution
        Je voudrais renouveler ma demande de logement avant la date limite
        Le bailleur me réclame [mon avis d'imposition/ma carte d'identité/une quittance]
        La commission a rejeté [ma demande/mon dossier] sans dire pourquoi
        Des travaux étaient promis dans l'immeuble [avant l'hiver/pour cette année]
        Je suis hébergé chez [un ami/ma sœur] et il me faut un justificatif de domicile
        Ma situation a changé et le montant de l'aide est faux
        On me demande le livret de famille pour [la demande de logement/l'aide]""",
    "Permis et véhicules": """J'ai vendu ma [voiture/moto] {when} et je reçois encore des contraventions
        Je n'ai pas reçu [ma carte grise/mon permis] depuis {since}
        Il me manque des points et je ne comprends pas pourquoi
        J'ai déménagé et l'adresse est fausse sur [ma carte grise/mon permis]
        On m'a volé [ma plaque/mon permis/mon scooter] {when}
        J'ai acheté une [moto/voiture/remorque] d'occasion et le vendeur ne m'a rien donné
        La visite médicale est passée mais rien n'avance
        Je veux échanger un permis obtenu à l'étranger
        J'ai payé deux fois la même amende
        [Le garage/L'assurance] me demande un document que je n'ai pas
        Mon code de cession n'est pas reconnu par le site""",
    "État civil": """Une lettre est fausse dans mon nom de famille [sur l'acte/dans le livret]
        [Je me marie/Nous nous pacsons] dans {since} et il manque [un acte/une pièce]
        [Mon fils est né/Ma fille est née] {when} et je veux savoir qui prévenir
        Je suis née à l'étranger et je ne sais pas où demander [mon acte/la copie]
        Le notaire réclame [un acte de naissance/un acte de décès] de moins de trois mois
        [Le divorce/Le pacs] n'est pas inscrit en marge
        J'ai perdu [le livret de famille/mon livret] dans un déménagement
        Nous voudrions ajouter un deuxième nom à notre enfant
        La copie reçue {when} est illisible""",
}

COMMON_MATTERS = "mon dossier|ma demande|mon justificatif|mon attestation|ma démarche|ma situation|la suite de mon dossier"
COMMON_STORIES = """J'ai un problème avec {it} depuis {since}
    J'ai une question sur {it}
    Il y a une erreur dans ce que vous m'avez envoyé pour {it}
    Personne ne me répond à propos de {it}
    J'ai besoin d'aide pour {it}
    Je ne sais pas à qui m'adresser pour {it}
    Rien n'avance pour {it} depuis {since}
    Je reviens vers vous pour {it}, sans réponse depuis {since}
    On m'a réclamé un papier de plus {when} pour {it}
    Je voudrais prendre rendez-vous pour {it}
    Je souhaite signaler un changement pour {it}
    Votre réponse sur {it} n'est pas claire"""
CROSSINGS = """J'ai aussi une question sur {it}
    J'ai déjà eu le même souci avec {it}
    C'est d'autant plus gênant que j'attends aussi une réponse pour {it}
    Je vous avais déjà écrit pour {it}
    Par contre, tout va bien pour {it}
    On m'a d'abord parlé de {it}, mais ce n'est pas le sujet"""
DETAILS = """J'ai déjà appelé deux fois
    J'ai envoyé toutes les pièces {when}
    Je suis passé au guichet {when}, sans succès
    J'ai tout essayé
    On m'a dit d'attendre {since}
    Je travaille en journée et je ne peux pas me déplacer
    C'est assez urgent
    Je n'ai pas d'imprimante
    L'agent qui m'a reçu {when} ne savait pas répondre
    Je suis un peu perdu"""
CLOSINGS = """Que dois-je faire ?|Pouvez-vous m'aider ?|Merci de votre réponse.|Quels documents faut-il fournir ?|Cordialement.
    Combien de temps cela prend-il ?|Pouvez-vous me rappeler ?|Merci d'avance.|À quel service dois-je m'adresser ?
    Est-ce normal ?|Merci de faire le nécessaire."""
OPENINGS = {
    "courriel": "Bonjour,|Bonjour,|Madame, Monsieur,|Bonsoir,||",
    "téléphone": "Message laissé au standard :|Noté pendant l'appel :|Bonjour,||",
    "guichet": "Dit au guichet :|Relevé à l'accueil :|||",
}
SINCE = "trois jours|une semaine|dix jours|deux semaines|trois semaines|un mois|six semaines|deux mois|trois mois"
WHEN = "hier|lundi|mardi dernier|jeudi matin|la semaine dernière|le mois dernier|il y a trois jours|il y a dix jours"

WRONG = [  # column and value that replaces the right one; None: the id of the row before, as when a form is sent twice
    *[("texte", value) for value in ("", "", "", "", "Bonjour", "rappelez moi svp", "???", "Voir mon courrier")],
    *[("canal", "fax"), ("canal", "réseau social")],
    *[("id", None), ("id", None)],
]


def pick(rng: Random, entries: str) -> str:
    """One entry of a block above: they are separated by bars and by line ends."""
    return rng.choice(re.split(r"\s*[|\n]\s*", entries))


def filled(rng: Random, stories: str, matters: str) -> str:
    """One sentence, without its full stop."""
    story = re.sub(r"\[(.+?)\]", lambda found: rng.choice(found[1].split("/")), pick(rng, stories))
    return story.format(it=pick(rng, matters), since=pick(rng, SINCE), when=pick(rng, WHEN)).replace(" de le ", " du ")


def message(rng: Random, theme: str, channel: str) -> str:
    """One to four sentences."""
    draw = rng.random()
    if draw < VAGUE:
        sentences = [filled(rng, COMMON_STORIES, COMMON_MATTERS)]
    elif draw < VAGUE + (1 - VAGUE) / 3:
        sentences = [filled(rng, COMMON_STORIES, MATTERS[theme])]
    else:
        sentences = [filled(rng, STORIES[theme], MATTERS[theme])]
    if draw >= VAGUE and rng.random() < CROSSED:
        sentences.append(filled(rng, CROSSINGS, MATTERS[rng.choice([t for t in SHARES if t != theme])]))
    if rng.random() < 0.35:
        sentences.append(filled(rng, DETAILS, COMMON_MATTERS))
    text = ". ".join(sentences) + "."
    if rng.random() < 0.5:
        text += " " + pick(rng, CLOSINGS)
    opening = pick(rng, OPENINGS[channel])
    if opening.endswith(","):
        text = text[0].lower() + text[1:]
    text = f"{opening} {text}".strip()
    return mistyped(rng, text) if rng.random() < MISTYPED else text


def mistyped(rng: Random, text: str) -> str:
    """The text with one to three words typed too fast, or without accents or capitals."""
    if rng.random() < 0.25:
        return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    words = text.split(" ")
    for place in rng.sample(range(len(words)), min(len(words), rng.randint(1, 3))):
        word = words[place]
        if len(word) > 4 and word.isalpha():
            at = rng.randrange(1, len(word) - 2)
            swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            words[place] = rng.choice([swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]])
    return " ".join(words)


def generate(seed: int, count: int) -> list[dict[str, str]]:
    """`count` rows in order of arrival, of which up to one in ten, and len(WRONG) at most, are wrong."""
    rng = Random(seed)
    days = sorted(date(2025, 1, 1) + timedelta(days=rng.randrange(365)) for _ in range(count))
    rows: list[dict[str, str]] = []
    seen: set[str] = set()
    for number, day in enumerate(days, 1):
        theme = rng.choices(list(SHARES), list(SHARES.values()))[0]
        channel = "courriel" if day.weekday() >= 5 else rng.choices(list(OPENINGS), [4, 4, 2])[0]  # closed at the weekend
        text = message(rng, theme, channel)
        while text in seen:  # a text that is on both sides of the split would be learned by heart
            text = message(rng, theme, channel)
        seen.add(text)
        rows.append(dict(zip(COLUMNS, (f"DEM-{number:05}", day.isoformat(), channel, text, theme), strict=True)))
    places = rng.sample(range(1, count), min(len(WRONG), count // 10))
    for place, (column, value) in zip(places, WRONG, strict=False):
        rows[place][column] = rows[place - 1]["id"] if value is None else value
    return rows


def main() -> None:
    path = Path(__file__).parent / "data" / "demandes.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(generate(SEED, COUNT))


if __name__ == "__main__":
    main()
