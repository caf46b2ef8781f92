"""What the name of a column says of what it holds. A name alone proves nothing: find.py compares it with the values."""

from __future__ import annotations

import re

from flows.privacy.lists import plain

NOT_A_PERSON = re.compile(
    r"commune|ville|voie|rue|region|departement|pays|entreprise|societe|etablissement|organisme|enseigne|raison|ues|structure|association|"
    r"fichier|produit|service|projet|jeu|champ|ecole|college|lycee|station|site|bureau|marque|parti|categorie|dispositif|gare|complet_du"
)
HEADERS = {
    "nir": r"\bnir\b|secu\b|securite sociale|\b(?:num|no|n) ?ss\b|numero insee",
    "iban": r"\biban\b|\brib\b|compte bancaire",
    "card": r"carte bancaire|\bcb\b|card number|numero de carte",
    "tax_number": r"fiscal|\bspi\b",
    "email": r"mail|courriel|adresse electronique|messagerie",
    "phone": r"\btel|phone|\bportable|\bmobile|\bgsm\b",
    "birth_date": r"naiss|birth|\bddn\b|\bdob\b|\bne le\b|\bnee le\b",
    "name": r"\bnoms?\b|prenom|patronyme|surname|first ?name|last ?name|full ?name|\bidentite|titulaire|demandeur|signataire|dirigeant|"
    r"beneficiaire|usager|patient|allocataire|\bassures?\b|\beleves?\b|etudiant|salarie|candidat|proprietaire|locataire|conjoint|\btuteur",
    "address": r"adresse|address|domicile|\brue\b",
    "plate": r"immatriculation|\bplaque",
    "ip": r"\bip\b",
}
SEVERAL = {kind: re.compile(pattern) for kind, pattern in HEADERS.items()}
GIVEN = re.compile(r"prenom|first ?name|given ?name|forename")
HOME = re.compile(
    r"domicile|usager|demandeur|beneficiaire|particulier|patient|salarie|allocataire|assure|eleve|etudiant|locataire|proprietaire|habitant|"
    r"\bpersonne\b|parent|tuteur|contribuable|retraite\b|candidat"
)
PLACE = re.compile(r"commune|ville|localite|region|departement|pays|voie|academie|canton|lieu")


def words(column: str) -> str:
    """`DateNaissance`, `date_de_naissance` -> `date naissance`, `date de naissance`: small letters, spaces, no accents."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)
    return re.sub(r"[^a-z0-9]+", " ", plain(spaced).lower()).strip()


def hints(column: str) -> set[str]:
    """Kinds that its name announces."""
    said = words(column)
    found = {kind for kind, pattern in SEVERAL.items() if pattern.search(said)}
    if NOT_A_PERSON.search(said) and not re.search(r"prenom|naiss", said):
        found.discard("name")
    if found & {"email", "ip"}:
        found.discard("address")
    if re.search(r"lieu|commune|pays|departement|ville", said):
        found.discard("birth_date")
    return found


def says_given(column: str) -> bool:
    return GIVEN.search(words(column)) is not None


def says_place(column: str) -> bool:
    return PLACE.search(words(column)) is not None


def says_home(column: str) -> bool:
    """Of an address: that it is somebody's own."""
    return HOME.search(words(column)) is not None
