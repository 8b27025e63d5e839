"""Batches for training: one scene, many questions packed in one sequence, and dense labels for the encoder and the image tokens."""

import multiprocessing
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import tokens
from .questions import KINDS, NUMBERS, OPPOSITE, PLACES, SIDES, Item, ask, direction
from .sight import Sight
from .world import COLOURS, GRID, NAMES, SIGN, SIZE, WORDS, Scene, Thing, scene

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
# Labels that only the whole picture tells: a tile shows neither all neighbours nor all others of a kind.
OF_THE_WHOLE = ["left", "right", "above", "below", "same", "rank"]
# A sign's word is learned only from a tile that holds so much of it, a digit from one that holds nearly all of that digit.
HALF, NEARLY = 0.45, 0.8
BLURS = (1, 2, 3)


@dataclass
class Batch:
    """views, each [b, pictures, side, side, 3] uint8; tokens, positions, pair [b, t]; target [b, t] (-1: none); kind [b, t] of each question;
    verdict [b, t] at its last token (-1: none). For the encoder, labels [b, pictures, heads, 144] and place [b, pictures, 144, 3], centre and
    size of the object at each patch; fine [b, heads, cells] for a stage with smaller cells (None: there is none). Of each image token, names [b, heads, n] and spots [b, n, 3], the same for the whole picture, and lies [n, 2], its place
    (not a number: none)."""

    views: list[np.ndarray]
    tokens: np.ndarray
    positions: np.ndarray
    pair: np.ndarray
    target: np.ndarray
    kind: np.ndarray
    verdict: np.ndarray
    labels: np.ndarray
    place: np.ndarray
    fine: np.ndarray | None
    names: np.ndarray
    spots: np.ndarray
    lies: np.ndarray


ROW = {h: i for i, h in enumerate(HEADS)}


def dense(s: Scene, grid: int = GRID) -> tuple[np.ndarray, np.ndarray]:
    """Labels [heads, grid * grid] and (x, y, size) [grid * grid, 3] of a scene's patches; from -1 to 1 is the whole scene."""
    patch = s.side // grid
    labels = np.full((len(HEADS), grid * grid), -1, np.int16)
    place = np.zeros((grid * grid, 3), np.float32)
    labels[ROW["what"]] = 0
    labels[ROW["colour"]] = list(COLOURS).index(s.colour)
    if not s.things:
        return labels, place
    cover = np.stack([(s.owner == t.id).reshape(grid, patch, grid, patch).sum((1, 3)).reshape(-1) for t in s.things])
    best = cover.argmax(0)
    order = sorted(s.things, key=lambda t: t.x)
    for t in s.things:
        at = (best == t.id) & (cover[t.id] > 0.22 * patch * patch)
        labels[ROW["what"], at] = LABELS[t.name]
        for side in ("left", "right", "above", "below"):
            near = [(o.x - t.x) ** 2 + (o.y - t.y) ** 2 for o in s.things if o is not t and direction(o, t, 1.0) == side]
            names = [o.name for o in s.things if o is not t and direction(o, t, 1.0) == side]
            labels[ROW[side], at] = LABELS[names[int(np.argmin(near))]] if near else 0
        labels[ROW["same"], at] = sum(o.name == t.name for o in s.things)
        labels[ROW["rank"], at] = order.index(t)
        place[at] = (2 * t.x / s.side - 1, 2 * t.y / s.side - 1, t.size * SIZE / s.side / 40 - 1.7)
        if t.name == SIGN:
            number = t.text.isdigit()
            labels[ROW["word"], at] = len(WORDS) if number else WORDS.index(t.text)
            if number:
                labels[ROW["tens"], at] = int(t.text) // 10 if len(t.text) > 1 else 10
                labels[ROW["ones"], at] = int(t.text) % 10
            labels[ROW["glyph"], at] = len(GLYPHS)
    for character, x0, x1, y in s.glyphs:
        for column in range(grid):
            at = int(y) // patch * grid + column
            if x0 <= (column + 0.5) * patch < x1 or x0 <= (column + 0.25) * patch < x1 and labels[ROW["glyph"], at] in (-1, len(GLYPHS)):
                labels[ROW["glyph"], at] = GLYPHS.index(character.lower())
    return labels, place


def tall(t: Thing, y: float, side: float) -> float:
    """How much of an object's height lies between y and y + side."""
    return max(0, min(t.box[1] + t.box[3], y + side) - max(t.box[1], y)) / t.box[3]


def dense_of_tiles(s: Scene, k: int) -> tuple[np.ndarray, np.ndarray]:
    """What `dense` gives, for each of k x k tiles: [k * k, heads, 144] and [k * k, 144, 3], where -1 to 1 is the tile."""
    labels, place = dense(s, k * GRID)

    def cut(a: np.ndarray) -> np.ndarray:
        return a.reshape(k, GRID, k, GRID, -1).transpose(0, 2, 1, 3, 4).reshape(k * k, GRID * GRID, -1)

    labels, place = cut(labels.T).swapaxes(1, 2).copy(), cut(place).copy()
    known = labels[:, ROW["what"]] > 0
    middle = np.stack(np.meshgrid(*[(np.arange(k) * 2 + 1) / k - 1] * 2), 2).reshape(k * k, 1, 2)
    place[..., :2] = np.where(known[..., None], k * (place[..., :2] - middle), 0)
    place[..., 2] = np.where(known, k * (place[..., 2] + 1.7) - 1.7, 0)
    labels[:, [ROW[h] for h in OF_THE_WHOLE]] = -1
    side = s.side // k
    for t in s.things:
        if t.name == SIGN:
            for i in range(k * k):
                y, x = i // k * side, i % k * side
                shown = (s.owner[y : y + side, x : x + side] == t.id).sum() / t.area
                if shown < HALF:
                    labels[i, ROW["word"]] = -1
                for digit, (_, x0, x1, _) in zip(["ones", "tens"], s.glyphs[::-1]):
                    within = max(0, min(x1, x + side) - max(x0, x)) / (x1 - x0)
                    if within < NEARLY or tall(t, y, side) < NEARLY:
                        labels[i, ROW[digit]] = -1
                if len(s.glyphs) == 1:
                    labels[i, ROW["tens"]] = np.where(labels[i, ROW["ones"]] < 0, -1, labels[i, ROW["tens"]])
    return labels, place


def supervision(s: Scene, k: int) -> tuple[np.ndarray, ...]:
    """`labels`, `place`, `names`, `spots` of a batch, for one scene seen whole and in k x k tiles (0: whole only)."""
    labels, place = dense(s)
    if not k:
        return labels[None], place[None], labels, place
    # Tokens of the tiles' lines, each with its end, which shows nothing.
    lined = np.pad(labels.reshape(-1, GRID, GRID), ((0, 0), (0, 0), (0, 1)), constant_values=-1).reshape(len(HEADS), -1)
    spots = np.pad(place.reshape(GRID, GRID, 3), ((0, 0), (0, 1), (0, 0))).reshape(-1, 3)
    if s.side > SIZE:
        # In the whole picture they need only be counted off, and those alike found: what they are is learned from the tiles.
        labels[[i for h, i in ROW.items() if h not in ("colour", "rank", "same")]] = -1
    tiled, placed = dense_of_tiles(s, k)
    return (np.concatenate([labels[None], tiled]), np.concatenate([place[None], placed]),
            np.concatenate([labels, lined], 1), np.concatenate([place, spots]))


def lies(tiled: bool) -> np.ndarray:
    """Where each image token lies in the picture, [n, 2] from -1 to 1; not a number for the ends of lines."""
    middle = (np.arange(GRID) * 2 + 1) / GRID - 1
    grid = np.stack(np.meshgrid(middle, middle), 2).astype(np.float32)
    lined = np.pad(grid, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    return np.concatenate([g.reshape(-1, 2) for g in ([grid, lined] if tiled else [grid])])


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


def unseen(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture as nothing can be seen in it: wholly blurred, its mean colour, black, grey or noise."""
    kind = rng.integers(6)
    small = image.resize((int(BLURS[rng.integers(3)]),) * 2, Image.BOX)
    if kind <= 1:
        return small.resize(image.size, Image.BICUBIC)
    if kind == 2:
        return Image.new("RGB", image.size, tuple(int(v) for v in np.asarray(small).reshape(-1, 3).mean(0)))
    if kind == 3:
        return Image.new("RGB", image.size)
    if kind == 4:
        return Image.new("RGB", image.size, (int(rng.integers(256)),) * 3)
    return Image.fromarray(rng.integers(0, 256, (*image.size, 3)).astype(np.uint8))


def batch(sight: Sight, seed: int, start: int, size: int) -> Batch:
    """Scenes start .. start + size - 1 of a seed, with as many questions as fit."""
    p = np.array([WEIGHTS[k] for k in KINDS])
    p /= p.sum()
    lying = lies(sight.tiles > 0)
    n, pictures = len(lying), 1 + sight.tiles**2
    out = Batch(
        [np.empty((size, pictures, side, side, 3), np.uint8) for side in sight.views],
        np.zeros((size, LENGTH), np.int64), np.zeros((size, LENGTH), np.int64),
        np.full((size, LENGTH), -1, np.int16), np.full((size, LENGTH), -1, np.int64), np.full((size, LENGTH), -1, np.int8),
        np.full((size, LENGTH), -1, np.int16),
        np.empty((size, pictures, len(HEADS), GRID * GRID), np.int16), np.empty((size, pictures, GRID * GRID, 3), np.float32),
        np.empty((size, len(HEADS), sight.fine**2), np.int16) if sight.fine else None,
        np.empty((size, len(HEADS), n), np.int16), np.empty((size, n, 3), np.float32), lying,
    )
    first = len(tokens.prefix()) + n
    for b in range(size):
        s, rng = scene(seed, start + b, sight.scales[(start + b) % len(sight.scales)])
        out.labels[b], out.place[b], out.names[b], out.spots[b] = supervision(s, sight.tiles)
        if sight.fine:
            out.fine[b] = dense(s, sight.fine)[0]
            out.fine[b, [ROW[h] for h in OF_THE_WHOLE]] = -1
        shown = [s.image] * len(sight.views)
        if sight.hidden and rng.random() < sight.hidden:
            shown[:-1] = [unseen(s.image, rng)] * (len(shown) - 1)
        if rng.random() < 0.05:
            shown = [unseen(s.image, rng)] * len(shown)
            out.labels[b] = out.names[b] = -1
            out.place[b] = out.spots[b] = 0
            if sight.fine:
                out.fine[b] = -1
        for i, image in enumerate(shown):
            out.views[i][b] = sight.looks(image)[i]
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
