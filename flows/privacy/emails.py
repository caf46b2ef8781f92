"""E-mail addresses: a person's, or those of an office or a service."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.privacy.kinds import Entity
from flows.privacy.lists import given_names, surnames

EMAIL = re.compile(r"(?<![\w.+-])[\w+'-](?:[\w.+'-]{0,63})@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w@])")
WEBMAIL = re.compile(
    r"@(?:gmail|googlemail|orange|wanadoo|free|laposte|sfr|neuf|hotmail|live|outlook|yahoo|ymail|icloud|me|bbox|numericable|aol|club-internet|"
    r"proton|protonmail|gmx|msn|aliceadsl|cegetel|noos|dbmail|mailo|tutanota)\.",
    re.IGNORECASE,
)
EXAMPLE = re.compile(r"@(?:[\w-]+\.)*(?:example|exemple|test|invalid|localhost)(?:\.|$)", re.IGNORECASE)
_SERVICE = """
contact contacts info infos information informations accueil mairie secretariat sec communication com presse support aide help dpo rgpd
cnil noreply no reply nepasrepondre donotreply webmaster admin administrateur administration postmaster abuse service services direction
dir bureau pole cellule equipe team rh recrutement emploi stages commercial ventes vente sales compta comptabilite facturation factures
achats achat marche marches marchespublics urbanisme etatcivil ccas bibliotheque mediatheque tourisme office ecole college lycee
universite formation scolarite inscription inscriptions ce prefecture prefet sp ddt ddtm dreal draaf dreets direccte drac ars cpam caf
urssaf msa pref rectorat dsden sdis gendarmerie police tribunal greffe cabinet agence agences siege standard hotline assistance
reservation reservations restaurant hotel boulangerie garage pharmacie ehpad clinique hopital chu ch crous association asso club comite
syndicat federation fondation societe entreprise sarl sas ets boutique magasin shop newsletter actualites abonnement data opendata
donnees sig geomatique dsi informatique technique qualite securite juridique legal logement habitat environnement developpement economie
culture sport sports jeunesse enfance creche petiteenfance social sante education transport transports mobilite eau dechets reclamation
reclamations client clients clientele partenaires projet projets general generale national regional departemental public
"""
SERVICE = frozenset(_SERVICE.split())


def emails(text: str) -> Iterator[Entity]:
    """Addresses of persons; those of services are none."""
    if "@" not in text:
        return
    for match in EMAIL.finditer(text):
        found = _whose(match[0])
        if found:
            yield Entity("email", *match.span(), found[0], found[1])  # type: ignore[arg-type]


def _whose(address: str) -> tuple[str, str] | None:
    local = address.partition("@")[0].lower()
    words = [w for w in re.split(r"[^a-zà-ÿ]+", local) if w]
    if EXAMPLE.search(address) or not words:
        return None if EXAMPLE.search(address) else ("possible", "adresse électronique")
    known = [w.upper() in given_names() for w in words]
    initial = len(words) == 2 and len(words[0]) <= 2 and len(words[1]) > 2 and words[1] not in SERVICE
    if any(w in SERVICE for w in words) and not (len(words) == 2 and any(known)):
        return None
    if len(words) >= 2 and (any(known) or initial):
        return "certain", "adresse électronique de la forme prénom.nom"
    if WEBMAIL.search(address):
        return "certain", "messagerie de particulier"
    if any(known) or (len(words[0]) > 3 and words[0][1:].upper() in surnames()):
        return "certain" if len(words) == 1 and words[0][1:].upper() in surnames() else "possible", "adresse électronique qui porte un nom"
    return "possible", "adresse électronique, peut-être d'une personne"
