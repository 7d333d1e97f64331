"""Who is in a corpus: one row a person, so that scores can be told apart by sex, age and skin."""

import numpy as np
import pandas as pd

from actionunits.synth.person.face import Head, Identity, draw_identity
from actionunits.synth.picture.looks import Appearance, draw_appearance
from actionunits.synth.script import CorpusSettings, subject_name, subject_rng

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)


def person(settings: CorpusSettings, subject: int, head: Head) -> tuple[Identity, Appearance]:
    """Draw the person at a 0-based position of a corpus, always the same."""
    rng = subject_rng(settings, subject)
    identity = draw_identity(rng, head)
    return identity, draw_appearance(rng, identity, head.assets)


def people(settings: CorpusSettings, head: Head, subjects: range) -> pd.DataFrame:
    """Who some people of a corpus are.

    Args:
        settings: Of the corpus.
        head: Of the assets it is rendered from.
        subjects: 0-based positions in the corpus.

    Returns:
        A row for each person: ``subject``; ``male`` (0 to 1, halves and all between occur), ``age``
        (0 young to 1 old); ``african``, ``asian`` and ``caucasian``, shares of MakeHuman's
        ancestries, whose sum is 1; ``ita``, the skin's individual typology angle in degrees, above
        41 light and below 10 dark (Chardon et al. 1991); ``glasses``, true or false.
    """
    rows = []
    for subject in subjects:
        identity, looks = person(settings, subject, head)
        african, asian, caucasian = identity.ancestry
        rows.append(
            {
                "subject": subject_name(subject),
                "male": identity.male,
                "age": identity.age,
                "african": african,
                "asian": asian,
                "caucasian": caucasian,
                "ita": typology_angle(looks.tone),
                "glasses": looks.glasses is not None,
            }
        )
    return pd.DataFrame(rows)


def typology_angle(albedo: np.ndarray) -> float:
    """Individual typology angle of a skin in degrees: ``atan2(L* - 50, b*)``, CIELAB under D65.

    Args:
        albedo: linear RGB, (3,), 0 to 1.
    """
    x, y, z = np.cbrt(_TO_XYZ @ albedo / _WHITE)  # skin is above the linear part of CIELAB's curve
    return float(np.degrees(np.arctan2(116 * y - 16 - 50, 200 * (y - z))))
