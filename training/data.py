"""Batches for training: one scene, many questions packed in one sequence, and dense labels for the encoder."""

import multiprocessing
import re
from dataclasses import dataclass

import numpy as np

from . import tokens
from .questions import KINDS, NUMBERS, OPPOSITE, PLACES, SIDES, Item, ask, direction
from .world import GRID, INPUT, NAMES, SIGN, SIZE, WORDS, Scene, reduced, scene

LENGTH = 208
WEIGHTS = {"describe": 1.8, "relation": 2.4, "count": 1.3, "existence": 0.7, "position": 1.7, "background": 0.25, "reading": 0.9,
           "size": 2.0, "yesno": 2.2, "knowledge": 0.3}
GLYPHS = "abcdefghijklmnopqrstuvwxyz0123456789"
LABELS = {w: i for i, w in enumerate(["", *NAMES, SIGN])}
COUNT = len(LABELS)
# name: number of classes of each dense label of a patch; -1 marks a patch without it
HEADS = {"what": COUNT, "left": COUNT, "right": COUNT, "above": COUNT, "below": COUNT, "same": 4, "rank": 6, "word": len(WORDS) + 1,
         "tens": 11, "ones": 10, "glyph": len(GLYPHS) + 1, "colour": 8}
# What must be judged before a question can be answered, as far as there are few possibilities.
VERDICTS = [*SIDES, "first", "second", "yes", "no", *NUMBERS, *sum(PLACES, [])]
BLURS = (1, 2, 3)


@dataclass(frozen=True)
class Sight:
    """What a model is shown: scenes of each of these scales in turn, in views of so many px a side, from low to high.

    Of a share `hidden` of the scenes only the highest view shows anything.
    """

    scales: tuple[int, ...] = (1,)
    views: tuple[int, ...] = (INPUT,)
    hidden: float = 0.0


@dataclass
class Batch:
    """views, each [b, side, side, 3] uint8; tokens, positions, pair [b, t]; target [b, t] (-1: none); kind [b, t] of each question;
    verdict [b, t] at its last token (-1: none); labels [b, heads, 144]; place [b, 144, 3] centre and size of the object at each patch."""

    views: list[np.ndarray]
    tokens: np.ndarray
    positions: np.ndarray
    pair: np.ndarray
    target: np.ndarray
    kind: np.ndarray
    verdict: np.ndarray
    labels: np.ndarray
    place: np.ndarray


def dense(s: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Labels [heads, 144] and (x, y, size) [144, 3] of the patches of a scene."""
    from .world import COLOURS

    patch = s.side // GRID
    labels = np.full((len(HEADS), GRID * GRID), -1, np.int16)
    place = np.zeros((GRID * GRID, 3), np.float32)
    row = {h: i for i, h in enumerate(HEADS)}
    labels[row["what"]] = 0
    labels[row["colour"]] = list(COLOURS).index(s.colour)
    if not s.things:
        return labels, place
    cover = np.stack([(s.owner == t.id).reshape(GRID, patch, GRID, patch).sum((1, 3)).reshape(-1) for t in s.things])
    best = cover.argmax(0)
    order = sorted(s.things, key=lambda t: t.x)
    for t in s.things:
        at = (best == t.id) & (cover[t.id] > 0.22 * patch * patch)
        labels[row["what"], at] = LABELS[t.name]
        for side in ("left", "right", "above", "below"):
            near = [(o.x - t.x) ** 2 + (o.y - t.y) ** 2 for o in s.things if o is not t and direction(o, t, 1.0) == side]
            names = [o.name for o in s.things if o is not t and direction(o, t, 1.0) == side]
            labels[row[side], at] = LABELS[names[int(np.argmin(near))]] if near else 0
        labels[row["same"], at] = sum(o.name == t.name for o in s.things)
        labels[row["rank"], at] = order.index(t)
        place[at] = (2 * t.x / s.side - 1, 2 * t.y / s.side - 1, t.size * SIZE / s.side / 40 - 1.7)
        if t.name == SIGN:
            number = t.text.isdigit()
            labels[row["word"], at] = len(WORDS) if number else WORDS.index(t.text)
            if number:
                labels[row["tens"], at] = int(t.text) // 10 if len(t.text) > 1 else 10
                labels[row["ones"], at] = int(t.text) % 10
            labels[row["glyph"], at] = len(GLYPHS)
    for character, x0, x1, y in s.glyphs:
        for column in range(GRID):
            if x0 <= (column + 0.5) * patch < x1 or x0 <= (column + 0.25) * patch < x1 and labels[row["glyph"], int(y) // patch * GRID + column] in (-1, len(GLYPHS)):
                labels[row["glyph"], int(y) // patch * GRID + column] = GLYPHS.index(character.lower())
    return labels, place


def verdict(item: Item) -> int:
    """Index in VERDICTS of what must be judged: the true side, the first or second of two, yes or no, a number, a place; or -1."""
    first = item.answer.lower().rstrip(".").replace(",", "").split()
    if item.kind == "yesno":
        asked = next(side for side, phrase in SIDES.items() if f" {phrase} " in item.question)
        return VERDICTS.index(asked if first[0] == "yes" else OPPOSITE[asked])
    if item.kind == "size":
        one = re.search(r"the (\w+) or the", item.question)[1]
        return VERDICTS.index("first" if one in first else "second")
    if item.kind == "existence":
        return VERDICTS.index(first[0])
    if item.kind == "count":
        return VERDICTS.index(next((n for n in NUMBERS if n in first), "zero"))
    if item.kind == "position":
        return VERDICTS.index(next(p for p in sum(PLACES, []) if item.answer.endswith(f" {p}.")))
    return -1


def unseen(image, side: int, rng: np.random.Generator) -> np.ndarray:
    """The picture as nothing can be seen in it, [side, side, 3]: wholly blurred, its mean colour, black, grey or noise."""
    from PIL import Image

    kind = rng.integers(6)
    small = np.asarray(image.resize((int(BLURS[rng.integers(3)]),) * 2, Image.BOX))
    if kind <= 1:
        return np.asarray(Image.fromarray(small).resize((side, side), Image.BICUBIC))
    if kind == 2:
        return np.broadcast_to(small.reshape(-1, 3).mean(0), (side, side, 3)).astype(np.uint8)
    if kind == 3:
        return np.zeros((side, side, 3), np.uint8)
    if kind == 4:
        return np.full((side, side, 3), rng.integers(256), np.uint8)
    return rng.integers(0, 256, (side, side, 3)).astype(np.uint8)


def batch(sight: Sight, seed: int, start: int, size: int) -> Batch:
    """Scenes start .. start + size - 1 of a seed, with as many questions as fit."""
    p = np.array([WEIGHTS[k] for k in KINDS])
    p /= p.sum()
    out = Batch(
        [np.empty((size, side, side, 3), np.uint8) for side in sight.views], np.zeros((size, LENGTH), np.int64), np.zeros((size, LENGTH), np.int64),
        np.full((size, LENGTH), -1, np.int16), np.full((size, LENGTH), -1, np.int64), np.full((size, LENGTH), -1, np.int8),
        np.full((size, LENGTH), -1, np.int16),
        np.empty((size, len(HEADS), GRID * GRID), np.int16), np.empty((size, GRID * GRID, 3), np.float32),
    )
    first = len(tokens.prefix()) + tokens.IMAGE_TOKENS
    for b in range(size):
        s, rng = scene(seed, start + b, sight.scales[(start + b) % len(sight.scales)])
        for view, side in zip(out.views, sight.views):
            view[b] = reduced(s.image, side)
        out.labels[b], out.place[b] = dense(s)
        if sight.hidden and rng.random() < sight.hidden:
            for view, side in zip(out.views[:-1], sight.views):
                view[b] = unseen(s.image, side, rng)
        if rng.random() < 0.05:
            state = rng.bit_generator.state
            for view, side in zip(out.views, sight.views):
                # The same nothing in every view
                rng.bit_generator.state = state
                view[b] = unseen(s.image, side, rng)
            out.labels[b] = -1
            out.place[b] = 0
        at, asked, pair = 0, set(), 0
        for kind in rng.choice(len(KINDS), 30, p=p):
            item = ask(KINDS[kind], s, rng)
            if item is None or item.question in asked:
                continue
            question, answer = tokens.question_ids(item.question), tokens.answer_ids(item.answer)
            ids = question + answer[:-1]
            if at + len(ids) > LENGTH:
                break
            asked.add(item.question)
            span = slice(at, at + len(ids))
            out.tokens[b, span] = ids
            out.positions[b, span] = np.arange(first, first + len(ids))
            out.pair[b, span] = pair
            out.target[b, at + len(question) - 1 : at + len(ids)] = answer
            out.kind[b, span] = kind
            out.verdict[b, at + len(question) - 1] = verdict(item)
            at += len(ids)
            pair += 1
    return out


def _produce(queue, sight: Sight, seed: int, step: int, size: int) -> None:
    while True:
        queue.put(batch(sight, seed, step * size, size))
        step += 1


def batches(sight: Sight, seed: int, step: int, size: int):
    """An endless stream of batches from another process, from a step on."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(12)
    context.Process(target=_produce, args=(queue, sight, seed, step, size), daemon=True).start()
    while True:
        yield queue.get()
