"""What faces do: expressions as data, and how often each task calls for them.

An expression lists AUs with the probability that the AU takes part and the range of its intensity
(FACS 0..5). The combinations follow the prototypes and major variants of Ekman, Friesen and Hager
(2002); probabilities and task weights were fitted so that rates and correlations of simulated
corpora fall near those of BP4D and DISFA (`reference.json`, printed by ``au synth card``).
"""

from collections.abc import Mapping
from typing import NamedTuple

Part = tuple[float, float, float]  # probability of taking part, lowest and highest intensity


class Expression(NamedTuple):
    """One facial event: the AUs that move together, and for how long they are held."""

    aus: Mapping[int, Part]  # by FACS number
    hold: tuple[float, float] = (0.4, 2.5)  # seconds at the apex
    one_sided: float = 0.0  # probability that one half of the face does most of it


class Task(NamedTuple):
    """What a recording task elicits, in the manner of BP4D."""

    emotion: str
    weights: Mapping[str, float]  # relative frequency of the names in EXPRESSIONS
    pause: tuple[float, float]  # seconds between two expressions; below 0 they blend
    speech: float  # expected share of the time spent talking
    gaze_down: float  # probability that a fixation is a look down
    habits: float = 1.0  # how often single acts happen beside the expressions, 0 never
    aside: float = 0.3  # probability that the camera does not stand before the face


# fmt: off
EXPRESSIONS: Mapping[str, Expression] = {
    "smile": Expression(
        {
            12: (1.0, 1.4, 4.0), 6: (0.55, 1.2, 3.4), 7: (0.45, 1.2, 3.2), 10: (0.55, 1.2, 3.4),
            14: (0.30, 1.0, 3.2), 25: (0.35, 1.0, 3.0), 1: (0.12, 1.2, 3.5), 2: (0.15, 1.2, 3.5),
        },
        one_sided=0.08,
    ),
    "laugh": Expression(
        {
            12: (1.0, 2.4, 5.0), 6: (0.95, 1.8, 5.0), 7: (0.75, 1.4, 4.2), 10: (0.80, 1.4, 4.2),
            14: (0.35, 1.0, 3.2), 25: (0.85, 1.8, 5.0), 26: (0.35, 1.2, 4.0), 9: (0.06, 1.0, 3.0),
            1: (0.14, 1.2, 3.5), 2: (0.18, 1.2, 3.8), 43: (0.06, 3.0, 5.0),
        },
        hold=(0.6, 3.0),
    ),
    "controlled smile": Expression(
        {
            12: (1.0, 1.4, 4.0), 6: (0.70, 1.2, 4.0), 7: (0.50, 1.0, 3.5), 10: (0.55, 1.0, 3.5),
            14: (0.60, 1.4, 4.5), 15: (0.40, 2.5, 5.0), 17: (0.50, 1.4, 4.2), 24: (0.35, 1.4, 4.2),
            23: (0.35, 1.4, 4.2),
        },
    ),
    # In BP4D most smiles are coded AU10 too; on photographs few are.
    "plain smile": Expression(
        {
            12: (1.0, 1.4, 5.0), 6: (0.55, 1.2, 4.5), 7: (0.30, 1.2, 3.2), 25: (0.65, 1.2, 4.5),
            26: (0.15, 1.2, 3.5), 14: (0.15, 1.0, 3.2), 10: (0.08, 1.4, 3.4),
        },
        hold=(0.6, 3.0),
        one_sided=0.08,
    ),
    "surprise": Expression(
        {
            1: (0.95, 1.6, 5.0), 2: (0.95, 1.6, 5.0), 5: (0.75, 1.4, 5.0), 25: (0.65, 1.4, 4.5),
            26: (0.50, 1.4, 5.0), 27: (0.12, 1.4, 4.0), 18: (0.08, 1.0, 3.4), 22: (0.08, 1.0, 3.4),
        },
        hold=(0.3, 1.4),
    ),
    "brow raise": Expression(
        {1: (0.85, 1.2, 4.5), 2: (0.90, 1.2, 4.5), 5: (0.30, 1.0, 3.5)},
        hold=(0.2, 1.5),
        one_sided=0.12,
    ),
    "fear": Expression(
        {
            1: (0.95, 1.6, 5.0), 2: (0.70, 1.2, 4.2), 4: (0.60, 1.4, 4.5), 5: (0.75, 1.4, 5.0),
            7: (0.35, 1.2, 3.8), 20: (0.75, 1.4, 5.0), 25: (0.65, 1.2, 4.5), 26: (0.35, 1.2, 4.0),
            10: (0.15, 1.0, 3.0),
        },
    ),
    "sadness": Expression(
        {
            1: (0.80, 1.4, 5.0), 4: (0.65, 1.4, 4.5), 15: (0.55, 1.4, 5.0), 17: (0.60, 1.4, 4.5),
            7: (0.20, 1.0, 3.2), 6: (0.12, 1.2, 3.5), 24: (0.20, 1.2, 4.0), 14: (0.12, 1.2, 3.5),
            43: (0.08, 3.0, 5.0),
        },
        hold=(0.8, 3.5),
    ),
    "chin shrug": Expression(
        {
            17: (0.95, 1.5, 5.0), 15: (0.70, 1.4, 4.8), 1: (0.12, 1.2, 4.0), 2: (0.12, 1.2, 4.0),
            24: (0.40, 1.4, 4.2), 23: (0.30, 1.4, 4.0), 14: (0.30, 1.2, 4.0),
        },
        hold=(0.3, 1.5),
    ),
    "anger": Expression(
        {
            4: (0.90, 1.6, 5.0), 7: (0.65, 1.4, 5.0), 5: (0.30, 1.2, 4.0), 23: (0.75, 1.5, 5.0),
            24: (0.55, 1.5, 5.0), 17: (0.55, 1.3, 4.5), 10: (0.12, 1.0, 3.0),
        },
        hold=(0.6, 3.0),
    ),
    "open anger": Expression(
        {
            4: (0.85, 1.6, 5.0), 7: (0.60, 1.4, 4.5), 9: (0.35, 1.2, 4.5), 10: (0.75, 1.6, 5.0),
            25: (0.90, 1.6, 4.8), 26: (0.30, 1.2, 4.0), 5: (0.30, 1.2, 4.5), 20: (0.20, 1.2, 4.0),
        },
    ),
    "disgust": Expression(
        {
            9: (0.75, 1.4, 5.0), 10: (0.80, 1.4, 5.0), 4: (0.55, 1.2, 4.2), 7: (0.60, 1.2, 4.2),
            6: (0.50, 1.2, 4.2), 17: (0.40, 1.2, 4.0), 15: (0.35, 1.2, 4.2), 25: (0.30, 1.2, 3.8),
        },
    ),
    "pain": Expression(
        {
            4: (0.80, 1.5, 5.0), 6: (0.75, 1.5, 5.0), 7: (0.80, 1.5, 5.0), 9: (0.45, 1.3, 4.5),
            10: (0.65, 1.3, 4.5), 43: (0.35, 3.0, 5.0), 20: (0.25, 1.4, 4.5), 25: (0.50, 1.4, 4.5),
            26: (0.20, 1.2, 4.0), 12: (0.20, 1.2, 3.5), 14: (0.20, 1.2, 3.5),
        },
    ),
    "dimple": Expression(
        {14: (1.0, 1.5, 5.0), 12: (0.15, 1.0, 3.0), 17: (0.20, 1.0, 3.5), 24: (0.30, 1.2, 4.0)},
        one_sided=0.4,
    ),
    "lip press": Expression(
        {24: (1.0, 1.5, 5.0), 17: (0.60, 1.2, 4.2), 14: (0.40, 1.2, 4.0), 23: (0.15, 1.2, 4.0)},
        hold=(0.3, 2.0),
    ),
    "lip tight": Expression(
        {23: (1.0, 1.5, 5.0), 17: (0.35, 1.2, 4.0), 15: (0.20, 1.2, 4.0), 14: (0.15, 1.2, 3.5)},
        hold=(0.3, 2.0),
    ),
    "frown": Expression({4: (1.0, 1.3, 4.8), 7: (0.35, 1.2, 4.0), 9: (0.08, 1.2, 3.5)}),
    "stretch": Expression(
        {20: (1.0, 1.5, 5.0), 25: (0.55, 1.2, 4.5), 4: (0.15, 1.2, 3.5), 17: (0.15, 1.2, 3.5)},
        hold=(0.3, 1.5),
    ),
    "squint": Expression(
        {7: (1.0, 1.8, 5.0), 6: (0.25, 1.2, 4.0), 10: (0.20, 1.0, 3.0)}, hold=(0.5, 3.0)
    ),
    "cheeks": Expression({6: (1.0, 1.5, 4.5), 7: (0.45, 1.2, 4.0), 10: (0.40, 1.2, 3.8)}),
    "sneer": Expression(
        {10: (1.0, 1.5, 4.8), 9: (0.20, 1.2, 3.8), 14: (0.15, 1.2, 3.5)}, one_sided=0.3
    ),
    "stare": Expression({5: (1.0, 1.5, 5.0), 1: (0.15, 1.0, 3.0)}, hold=(0.3, 1.8)),
    "slack jaw": Expression({25: (1.0, 1.2, 3.8), 26: (0.60, 1.2, 4.5)}, hold=(0.5, 3.0)),
    "shout": Expression(
        {
            27: (0.80, 1.6, 4.6), 25: (1.0, 2.5, 5.0), 16: (0.45, 1.4, 4.5), 10: (0.50, 1.4, 4.5),
            4: (0.60, 1.4, 5.0), 7: (0.45, 1.4, 4.5), 9: (0.20, 1.2, 4.0), 6: (0.20, 1.2, 4.0),
            1: (0.20, 1.4, 4.5), 2: (0.20, 1.4, 4.5), 5: (0.20, 1.2, 4.0),
        },
        hold=(0.4, 2.0),
    ),
    "yawn": Expression(
        {
            27: (1.0, 2.5, 5.0), 25: (1.0, 3.0, 5.0), 43: (0.45, 3.5, 5.0), 7: (0.35, 1.2, 4.0),
            4: (0.20, 1.2, 3.5), 1: (0.25, 1.2, 4.0), 2: (0.25, 1.2, 4.0), 9: (0.10, 1.2, 3.0),
        },
        hold=(0.8, 2.5),
    ),
    "kiss": Expression(
        {18: (1.0, 1.5, 5.0), 25: (0.20, 1.0, 2.4), 17: (0.15, 1.0, 3.0), 43: (0.08, 4.0, 5.0)},
        hold=(0.3, 1.5),
    ),
    "funnel": Expression(
        {22: (1.0, 1.5, 5.0), 25: (0.90, 1.2, 4.0), 26: (0.25, 1.2, 3.5), 4: (0.10, 1.2, 3.5)},
        hold=(0.3, 1.5),
    ),
    "lip suck": Expression(
        {28: (1.0, 1.5, 5.0), 17: (0.15, 1.0, 3.0), 14: (0.20, 1.2, 3.5), 12: (0.12, 1.0, 3.0)},
        hold=(0.3, 2.0),
    ),
    "lower lip": Expression(
        {16: (1.0, 1.5, 5.0), 25: (0.90, 1.4, 4.0), 10: (0.25, 1.2, 3.5), 20: (0.25, 1.2, 3.5)},
        hold=(0.3, 1.5),
    ),
    "glare": Expression(  # of the sun: eyes narrowed without a smile
        {
            7: (1.0, 1.6, 5.0), 6: (0.80, 1.5, 4.8), 4: (0.55, 1.2, 4.5), 10: (0.25, 1.2, 3.2),
            9: (0.10, 1.2, 3.0), 25: (0.15, 1.2, 3.0),
        },
        hold=(0.5, 3.0),
    ),
    "trace": Expression(  # of this and that: what nobody would score
        {
            1: (0.2, 0.2, 1.3), 2: (0.2, 0.2, 1.3), 4: (0.3, 0.2, 1.3), 5: (0.2, 0.2, 1.3),
            7: (0.3, 0.2, 1.3), 12: (0.3, 0.2, 1.3), 14: (0.2, 0.2, 1.3), 15: (0.2, 0.2, 1.3),
            17: (0.2, 0.2, 1.3), 24: (0.2, 0.2, 1.3),
        },
        hold=(0.5, 3.0),
    ),
    "eyes shut": Expression({43: (1.0, 4.5, 5.0)}, hold=(0.3, 1.6)),
    "rest": Expression({}, hold=(0.5, 3.0)),
}

TASKS: tuple[Task, ...] = (
    Task("happy", {"smile": 4, "laugh": 5, "controlled smile": 1, "brow raise": 1, "cheeks": 0.5,
                   "dimple": 0.5, "rest": 1.0}, (-0.9, 0.6), 0.20, 0.06),
    Task("sad", {"sadness": 5, "chin shrug": 1, "lip press": 0.8, "frown": 1, "eyes shut": 0.3,
                 "dimple": 0.4, "lip tight": 0.4, "rest": 1.6}, (-0.8, 0.8), 0.12, 0.22),
    Task("surprise", {"surprise": 5, "brow raise": 2, "smile": 1.5, "stare": 1.2, "laugh": 0.8,
                      "slack jaw": 1.2, "rest": 1.5}, (-0.9, 0.7), 0.15, 0.06),
    Task("embarrassment", {"controlled smile": 4, "laugh": 3, "smile": 2.5, "dimple": 1,
                           "lip tight": 0.5, "brow raise": 0.6, "rest": 0.6},
         (-1.0, 0.6), 0.22, 0.20),
    Task("fear", {"fear": 5, "stretch": 1.4, "stare": 1.2, "laugh": 2, "smile": 1,
                  "brow raise": 0.6, "slack jaw": 0.5, "rest": 0.8}, (-0.9, 0.6), 0.12, 0.06),
    Task("pain", {"pain": 5, "disgust": 0.6, "lip press": 1.2, "squint": 1, "stretch": 0.8,
                  "laugh": 1.4, "eyes shut": 0.3, "glare": 0.4, "frown": 0.5, "dimple": 0.6,
                  "rest": 0.8},
         (-0.9, 0.6), 0.10, 0.10),
    Task("anger", {"anger": 4, "open anger": 1.6, "shout": 0.8, "frown": 0.7, "lip tight": 1.4,
                   "lip press": 1, "smile": 1.4, "laugh": 1.4, "dimple": 0.8, "squint": 0.5,
                   "rest": 0.8},
         (-0.9, 0.6), 0.18, 0.06),
    Task("disgust", {"disgust": 5, "sneer": 1.4, "chin shrug": 1.8, "cheeks": 0.5, "laugh": 1.6,
                     "squint": 0.6, "frown": 0.5, "lip tight": 0.5, "eyes shut": 0.3, "rest": 0.8},
         (-0.9, 0.6), 0.12, 0.10),
)

# Tasks of `people`: a quarter of the frames at rest, a quarter talking, and looks that are easily
# taken for others: eyes that are cast down or narrowed by glare, lips that only seem to be pressed.
PEOPLE: tuple[Task, ...] = (
    Task("rest", {"rest": 2, "trace": 1}, (0.0, 1.0), 0.0, 0.10, 0.0, 0.4),
    Task("eyes down", {"rest": 2, "trace": 1}, (0.0, 1.0), 0.0, 0.60, 0.0, 0.4),
    Task("talk", {"rest": 3, "trace": 1, "brow raise": 1, "plain smile": 0.6, "frown": 0.6},
         (0.0, 1.5), 0.97, 0.12, 0.0, 0.4),
    Task("speech", {"rest": 1, "brow raise": 2, "frown": 2, "plain smile": 1, "open anger": 0.6,
                    "surprise": 0.6, "sadness": 0.6, "squint": 0.5, "glare": 0.4},
         (-0.5, 1.0), 0.95, 0.08, 0.3, 0.4),
    Task("brows", {"brow raise": 5, "surprise": 2.5, "fear": 1.5, "sadness": 2, "frown": 1.5,
                   "stare": 0.8, "yawn": 0.3}, (-0.9, 0.6), 0.50, 0.08, 0.3, 0.4),
    Task("joy", {"plain smile": 5, "smile": 0.5, "laugh": 0.8, "controlled smile": 1.2,
                 "dimple": 1, "cheeks": 0.5, "glare": 1, "kiss": 0.3},
         (-0.9, 0.6), 0.20, 0.08, 0.5, 0.4),
    Task("strain", {"anger": 2, "open anger": 1, "shout": 2, "disgust": 2, "pain": 2, "glare": 1.5,
                    "squint": 0.8, "yawn": 0.6, "sneer": 1, "eyes shut": 0.6},
         (-0.9, 0.6), 0.25, 0.08, 0.5, 0.4),
    Task("lips", {"lip press": 1.5, "lip tight": 1.5, "lip suck": 1.5, "kiss": 1.2, "funnel": 1,
                  "chin shrug": 1.5, "stretch": 1, "lower lip": 1, "slack jaw": 1, "dimple": 1,
                  "shout": 0.5}, (-0.9, 0.6), 0.10, 0.08, 0.5, 0.4),
)

PROGRAMMES: Mapping[str, tuple[Task, ...]] = {"elicited": TASKS, "people": PEOPLE}

HABITS: Mapping[str, float] = {  # single acts that happen beside any expression
    "brow raise": 1.0,
    "lip press": 1.0,
    "lip tight": 1.2,
    "dimple": 1.0,
    "squint": 1.0,
    "frown": 0.4,
    "stare": 0.6,
    "stretch": 0.6,
    "chin shrug": 1.0,
    "eyes shut": 0.3,
    "slack jaw": 0.6,
    "sneer": 0.5,
    "kiss": 0.8,
    "funnel": 0.7,
    "lip suck": 0.9,
    "lower lip": 0.6,
    "shout": 0.3,
    "yawn": 0.2,
}

SYLLABLES: tuple[Expression, ...] = tuple(  # mouths of speech, a quarter of a second each
    Expression(aus, hold=(0.02, 0.12))
    for aus in (
        {25: (1.0, 1.8, 4.2), 26: (0.8, 1.2, 4.0), 16: (0.15, 0.8, 2.4)},  # ah
        {25: (1.0, 1.2, 3.2), 26: (0.4, 1.0, 3.0)},  # a, e
        {25: (1.0, 1.2, 3.2), 20: (0.35, 0.8, 2.2), 16: (0.35, 0.8, 2.8)},  # ee
        {25: (1.0, 1.2, 3.2), 26: (0.7, 1.2, 3.4), 18: (0.6, 1.0, 3.4), 22: (0.3, 0.8, 2.6)},  # oh
        {25: (0.9, 0.8, 2.4), 18: (1.0, 1.4, 4.4), 22: (0.2, 0.8, 2.4)},  # oo, w
        {25: (1.0, 1.0, 3.0), 22: (1.0, 1.2, 4.0), 18: (0.2, 0.8, 2.4)},  # sh, ch, r
        {25: (1.0, 0.8, 2.2), 16: (0.2, 0.8, 2.4), 10: (0.1, 0.6, 1.6)},  # s, t, n
        {24: (0.5, 0.8, 2.2), 28: (0.2, 0.8, 2.4), 17: (0.2, 0.8, 2.0)},  # m, b, p
    )
)

# How unequal the halves of the face may be: the weaker side does at least 1 - spread of the other.
# The jaw, the lips as a sphincter and the upper lids act as one (a one-sided AU43 is AU46).
ASYMMETRY: Mapping[int, float] = {
    1: 0.35, 2: 0.45, 4: 0.20, 5: 0.0, 6: 0.25, 7: 0.25, 9: 0.15, 10: 0.35, 12: 0.35, 14: 0.50,
    15: 0.35, 16: 0.20, 17: 0.0, 18: 0.0, 20: 0.30, 22: 0.0, 23: 0.0, 24: 0.0, 25: 0.0, 26: 0.0,
    27: 0.0, 28: 0.0, 43: 0.0, 45: 0.0,
}
# fmt: on
