"""Questions about a scene, each with its one right answer and the objects that the answer rests on.

A question is asked only where its answer is beyond doubt: margins for directions, sizes and the 3x3 grid.
"""

import re
from dataclasses import dataclass
from math import hypot

import numpy as np

from .world import CLASSES, COLOURS, NAMES, SIGN, Scene, Thing

KINDS = ["describe", "relation", "count", "existence", "position", "background", "reading", "size", "yesno", "knowledge"]
BLIND = {"knowledge"}
NUMBERS = ["zero", "one", "two", "three"]
SHORT = " Answer in one word."
SIDES = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
PLACES = [
    ["in the top left corner", "at the top", "in the top right corner"],
    ["on the left", "in the middle", "on the right"],
    ["in the bottom left corner", "at the bottom", "in the bottom right corner"],
]
# (questions, full answer, one-word answer)
FACTS = [
    *(
        ((f"What colour is {thing}?", f"Which colour does {thing} have?"), f"{thing[0].upper()}{thing[1:]} is {colour}.", colour)
        for thing, colour in [
            ("a banana", "yellow"), ("a strawberry", "red"), ("a carrot", "orange"), ("a frog", "green"), ("a lemon", "yellow"),
            ("snow", "white"), ("grass", "green"), ("the sky", "blue"), ("a tomato", "red"), ("chocolate", "brown"),
            ("coal", "black"), ("milk", "white"), ("a pig", "pink"), ("an elephant", "grey"), ("the sun", "yellow"),
        ]
    ),
    *(
        ((f"How many {part} does {thing} have?", f"What number of {part} does {thing} have?"),
         f"{thing[0].upper()}{thing[1:]} has {number} {part}.", number)
        for thing, number, part in [
            ("a dog", "four", "legs"), ("a chicken", "two", "legs"), ("a spider", "eight", "legs"), ("a bee", "six", "legs"),
            ("a horse", "four", "legs"), ("an octopus", "eight", "arms"), ("a bicycle", "two", "wheels"), ("a car", "four", "wheels"),
            ("a guitar", "six", "strings"), ("a week", "seven", "days"), ("a triangle", "three", "sides"), ("a hand", "five", "fingers"),
        ]
    ),
    *(
        ((f"What sound does {thing} make?", f"What does {thing} say?"), f"{thing[0].upper()}{thing[1:]} says {sound}.", sound)
        for thing, sound in [("a dog", "woof"), ("a cat", "meow"), ("a cow", "moo"), ("a pig", "oink"), ("a lion", "roar")]
    ),
    *(
        ((f"What is {thing} made of?", f"What do you make {thing} from?"), f"{thing[0].upper()}{thing[1:]} is made of {stuff}.", stuff)
        for thing, stuff in [("a tree", "wood"), ("bread", "flour"), ("a window", "glass"), ("cheese", "milk"), ("ice", "water")]
    ),
    *(
        ((f"What does {thing} eat?", f"What is the food of {thing}?"), f"{thing[0].upper()}{thing[1:]} eats {food}.", food)
        for thing, food in [("a rabbit", "carrots"), ("a monkey", "bananas"), ("a panda", "bamboo"), ("a cow", "grass"), ("a mouse", "cheese")]
    ),
]


@dataclass
class Item:
    """A question, its answer, `evidence` (object ids, or "background") and `words`: (text, start, end, object ids) in the answer."""

    kind: str
    question: str
    answer: str
    evidence: list[int] | str
    words: list[tuple[str, int, int, list[int]]]


def article(name: str) -> str:
    return ("an " if name[0] in "aeiou" else "a ") + name


def plural(name: str) -> str:
    return "signs" if name == SIGN else CLASSES[name][1]


def join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _words(answer: str, spoken: dict[str, list[int]]) -> list[tuple[str, int, int, list[int]]]:
    """Spans of the words of `spoken` in the answer, in order."""
    found = []
    for match in re.finditer(r"[A-Za-z0-9]+", answer):
        if match[0] in spoken and spoken[match[0]]:
            found.append((match[0], match.start(), match.end(), spoken[match[0]]))
    return found


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def direction(a: Thing, b: Thing, margin: float = 1.6) -> str | None:
    """Where `a` is as seen from `b`, or None where two directions could be said."""
    dx, dy = a.x - b.x, a.y - b.y
    if abs(dx) > margin * abs(dy):
        return "right" if dx > 0 else "left"
    if abs(dy) > margin * abs(dx):
        return "below" if dy > 0 else "above"
    return None


def nearest(b: Thing, side: str, things: list[Thing]) -> Thing | None:
    """The nearest object on one side of `b`; None where there is none or it is in doubt."""
    others = sorted((hypot(a.x - b.x, a.y - b.y), a.id) for a in things if a is not b)
    near = [(d, things[i]) for d, i in others if direction(things[i], b) == side]
    if not near or near[0][0] < 24:
        return None
    if len(near) > 1 and near[1][0] < 1.6 * near[0][0]:
        return None
    # In doubt: anything near that lies on that side too, but more to another.
    along = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}[side]
    doubtful = any(
        0.25 * d < (things[i].x - b.x) * along[0] + (things[i].y - b.y) * along[1]
        for d, i in others
        if direction(things[i], b) != side and d < 2.2 * near[0][0]
    )
    return None if doubtful else near[0][1]


def _groups(scene: Scene) -> dict[str, list[Thing]]:
    groups: dict[str, list[Thing]] = {}
    for thing in sorted(scene.things, key=lambda t: t.x):
        groups.setdefault(thing.name, []).append(thing)
    return groups


def _single(scene: Scene) -> list[Thing]:
    return [g[0] for g in _groups(scene).values() if len(g) == 1]


def describe(scene: Scene, rng: np.random.Generator):
    groups = _groups(scene)
    firsts = [g[0].x for g in groups.values()]
    if not groups or any(b - a < scene.side * 9 / 192 for a, b in zip(firsts, firsts[1:])):
        return None
    parts = [article(n) if len(g) == 1 else f"{NUMBERS[len(g)]} {plural(n)}" for n, g in groups.items()]
    verb = "is" if len(next(iter(groups.values()))) == 1 else "are"
    spoken = {}
    for name, group in groups.items():
        ids = [t.id for t in group]
        spoken[name if len(group) == 1 else plural(name)] = ids
        if len(group) > 1:
            spoken[NUMBERS[len(group)]] = ids
    question = _pick(rng, ["What is in the picture?", "Describe the picture.", "What do you see?", "What does the picture show?"])
    return question, f"There {verb} {join(parts)}.", [t.id for t in scene.things], spoken


def relation(scene: Scene, rng: np.random.Generator):
    singles = _single(scene)
    options = [(b, s, a) for b in singles for s in SIDES if (a := nearest(b, s, scene.things)) and a in singles]
    if not options:
        return None
    b, side, a = _pick(rng, options)
    phrase = SIDES[side]
    question = _pick(rng, [f"What is {phrase} the {b.name}?", f"Which object is {phrase} the {b.name}?", f"What can you see {phrase} the {b.name}?"])
    answer = f"The {a.name} is {phrase} the {b.name}."
    if rng.random() < 0.2:
        question, answer = question + SHORT, a.name
    return question, answer, [a.id, b.id], {a.name: [a.id], b.name: [b.id]}


def count(scene: Scene, rng: np.random.Generator):
    groups = {n: g for n, g in _groups(scene).items() if n != SIGN}
    many = [n for n, g in groups.items() if len(g) > 1]
    if many and rng.random() < 0.8:
        name = many[0]
    elif many or rng.random() < 0.25:
        name = _pick(rng, NAMES)
    elif groups and rng.random() < 0.4:
        name = _pick(rng, list(groups))
    else:
        return None
    ids = [t.id for t in groups.get(name, [])]
    n, p = len(ids), plural(name)
    question = _pick(rng, [f"How many {p} are there?", f"How many {p} can you see?", f"Count the {p}."])
    answer = "There are no " + p + "." if n == 0 else f"There is one {name}." if n == 1 else f"There are {NUMBERS[n]} {p}."
    if rng.random() < 0.25:
        question, answer = question + SHORT, NUMBERS[n]
    return question, answer, ids, {name: ids, p: ids, NUMBERS[n]: ids}


def existence(scene: Scene, rng: np.random.Generator):
    groups = _groups(scene)
    if rng.random() < 0.5:
        present = [n for n, g in groups.items() if len(g) == 1]
        if not present:
            return None
        name = _pick(rng, present)
    else:
        name = _pick(rng, [*NAMES, SIGN, SIGN])
        if name in groups:
            return None
    ids = [t.id for t in groups.get(name, [])]
    question = _pick(rng, [f"Is there {article(name)}?", f"Is there {article(name)} in the picture?", f"Can you see {article(name)}?"])
    answer = f"Yes, there is {article(name)}." if ids else f"No, there is no {name}."
    spoken = {name: ids, "Yes": ids}
    if rng.random() < 0.25:
        question, answer, spoken = question + SHORT, "yes" if ids else "no", {"yes": ids}
    return question, answer, ids, spoken


def position(scene: Scene, rng: np.random.Generator):
    third, margin = scene.side / 3, scene.side * 11 / 192

    def cell(v: float) -> int | None:
        return None if min(abs(v - third), abs(v - 2 * third)) < margin else int(v // third)

    options = [t for t in _single(scene) if cell(t.x) is not None and cell(t.y) is not None]
    if not options:
        return None
    t = _pick(rng, options)
    question = _pick(rng, [f"Where is the {t.name}?", f"In which part of the picture is the {t.name}?", f"Where can you see the {t.name}?"])
    place = PLACES[cell(t.y)][cell(t.x)]
    spoken = {w: [t.id] for w in ["top", "bottom", "left", "right", "middle", "corner", t.name]}
    return question, f"The {t.name} is {place}.", [t.id], spoken


def background(scene: Scene, rng: np.random.Generator):
    question = _pick(rng, ["What colour is the background?", "Which colour is behind the objects?", "What is the colour of the background?"])
    answer = f"The background is {scene.colour}."
    if rng.random() < 0.25:
        question, answer = question + SHORT, scene.colour
    return question, answer, "background", {}


def reading(scene: Scene, rng: np.random.Generator):
    signs = [t for t in scene.things if t.name == SIGN]
    if not signs:
        return None
    t = signs[0]
    question = _pick(rng, ["What does the sign say?", "What is written on the sign?", "Read the sign."])
    answer = f"The sign says {t.text}."
    if rng.random() < 0.25:
        question, answer = question + SHORT, t.text
    return question, answer, [t.id], {"sign": [t.id], t.text: [t.id]}


def size(scene: Scene, rng: np.random.Generator):
    singles = [t for t in _single(scene) if t.name != SIGN]
    options = [(a, b) for a in singles for b in singles if a.size >= 1.35 * b.size and a.area >= 1.5 * b.area]
    if not options:
        return None
    a, b = _pick(rng, options)
    one, two = (a, b) if rng.random() < 0.5 else (b, a)
    bigger = rng.random() < 0.7
    right, word = (a, "bigger") if bigger else (b, "smaller")
    question = _pick(rng, [f"Which is {word}, the {one.name} or the {two.name}?", f"Is the {one.name} or the {two.name} {word}?"])
    answer = f"The {right.name} is {word}."
    if rng.random() < 0.25:
        question, answer = question + SHORT, right.name
    return question, answer, [a.id, b.id], {right.name: [right.id], word: [a.id, b.id]}


def yesno(scene: Scene, rng: np.random.Generator):
    singles = _single(scene)
    options = [(a, b, d) for a in singles for b in singles if a is not b and (d := direction(a, b)) and hypot(a.x - b.x, a.y - b.y) > 28]
    if not options:
        return None
    a, b, side = _pick(rng, options)
    yes = rng.random() < 0.5
    asked = SIDES[side if yes else OPPOSITE[side]]
    question = _pick(rng, [f"Is the {a.name} {asked} the {b.name}?", f"Can you see the {a.name} {asked} the {b.name}?"])
    answer = f"{'Yes' if yes else 'No'}, the {a.name} is {SIDES[side]} the {b.name}."
    spoken = {"Yes": [a.id, b.id], "No": [a.id, b.id], a.name: [a.id], b.name: [b.id], side: [a.id, b.id]}
    if rng.random() < 0.25:
        question, answer = question + SHORT, "yes" if yes else "no"
        spoken = {answer: [a.id, b.id]}
    return question, answer, [a.id, b.id], spoken


def knowledge(scene: Scene, rng: np.random.Generator):
    questions, answer, short = _pick(rng, FACTS)
    question = _pick(rng, questions)
    if rng.random() < 0.2:
        question, answer = question + SHORT, short
    return question, answer, [], {}


ASK = {f.__name__: f for f in [describe, relation, count, existence, position, background, reading, size, yesno, knowledge]}


def ask(kind: str, scene: Scene, rng: np.random.Generator) -> Item | None:
    """One question of a kind, or None where the scene allows none (or chance, for balance, drew none)."""
    drawn = ASK[kind](scene, rng)
    if drawn is None:
        return None
    question, answer, evidence, spoken = drawn
    return Item(kind, question, answer, evidence, _words(answer, spoken))


def vocabulary() -> list[str]:
    """Every word of the world as the tokenizer must know it: with its leading space, or as a sentence begins."""
    words = {" ASSISTANT", "USER", "\n"}
    text = ["Yes, No, there is no. There is one. There are no", "says is made of has eats", SHORT]
    text += [q for facts in FACTS for q in facts[0]] + [f[1] for f in FACTS] + [" " + f[2] for f in FACTS]
    from .world import WORDS, scene as make

    for kind in KINDS:
        for index in range(400):
            drawn, rng = make(977, index)
            item = ask(kind, drawn, rng)
            if item:
                text += [item.question, " " + item.answer]
    for sentence in text:
        for i, word in enumerate(re.findall(r"[A-Za-z]+", sentence)):
            words.add(word if i == 0 and not sentence.startswith(" ") else " " + word)
    names = [*NAMES, *(plural(n) for n in NAMES), *WORDS, *COLOURS, *NUMBERS, "sign", "four", "five", "six", "seven", "eight"]
    words |= {" " + n for n in names} | {" " + w for place in sum(PLACES, []) for w in place.split()}
    words |= {" Yes", " No", " The", " There", " A", " An", " yes", " no"}
    return sorted(words)
