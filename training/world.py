"""The world that the pocket models look at: emoji objects and signs on backgrounds of nameable colours.

A scene is drawn at 192x192 px, or at a multiple of that with objects no larger in pixels, so that they are small in the picture: in one of 384x384 px
(`SMALL`) they are one or two of the cells of 8 px wide once the whole is reduced to 96x96 px. Every scene is a pure function of (seed, index, scale). Pictures are
reduced by Pillow's antialiased bicubic filter, as `preprocessor_config.json` declares. Fonts: Debian's fonts-noto-color-emoji and
fonts-dejavu-core.
"""

import colorsys
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = 192
# Scale of the scenes with small objects
SMALL = 2
INPUT = 96
GRID = 12
EMOJI_FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
SIGN_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"

# name: (code point, plural)
CLASSES = {
    "dog": (0x1F436, "dogs"), "cat": (0x1F431, "cats"), "mouse": (0x1F42D, "mice"), "rabbit": (0x1F430, "rabbits"),
    "fox": (0x1F98A, "foxes"), "bear": (0x1F43B, "bears"), "panda": (0x1F43C, "pandas"), "koala": (0x1F428, "koalas"),
    "tiger": (0x1F42F, "tigers"), "lion": (0x1F981, "lions"), "cow": (0x1F42E, "cows"), "pig": (0x1F437, "pigs"),
    "frog": (0x1F438, "frogs"), "monkey": (0x1F435, "monkeys"), "chicken": (0x1F414, "chickens"), "penguin": (0x1F427, "penguins"),
    "owl": (0x1F989, "owls"), "horse": (0x1F434, "horses"), "bee": (0x1F41D, "bees"), "butterfly": (0x1F98B, "butterflies"),
    "snail": (0x1F40C, "snails"), "turtle": (0x1F422, "turtles"), "octopus": (0x1F419, "octopuses"), "crab": (0x1F980, "crabs"),
    "fish": (0x1F420, "fish"), "whale": (0x1F433, "whales"), "elephant": (0x1F418, "elephants"),
    "apple": (0x1F34E, "apples"), "banana": (0x1F34C, "bananas"), "strawberry": (0x1F353, "strawberries"), "lemon": (0x1F34B, "lemons"),
    "watermelon": (0x1F349, "watermelons"), "pineapple": (0x1F34D, "pineapples"), "carrot": (0x1F955, "carrots"),
    "pizza": (0x1F355, "pizzas"), "hamburger": (0x1F354, "hamburgers"), "donut": (0x1F369, "donuts"), "mushroom": (0x1F344, "mushrooms"),
    "car": (0x1F697, "cars"), "bus": (0x1F68C, "buses"), "bicycle": (0x1F6B2, "bicycles"), "rocket": (0x1F680, "rockets"),
    "boat": (0x26F5, "boats"), "train": (0x1F682, "trains"), "helicopter": (0x1F681, "helicopters"), "tractor": (0x1F69C, "tractors"),
    "house": (0x1F3E0, "houses"), "clock": (0x23F0, "clocks"), "key": (0x1F511, "keys"), "football": (0x26BD, "footballs"),
    "basketball": (0x1F3C0, "basketballs"), "balloon": (0x1F388, "balloons"), "gift": (0x1F381, "gifts"), "shoe": (0x1F45F, "shoes"),
    "hat": (0x1F3A9, "hats"), "guitar": (0x1F3B8, "guitars"), "umbrella": (0x2614, "umbrellas"), "camera": (0x1F4F7, "cameras"),
    "bell": (0x1F514, "bells"), "crown": (0x1F451, "crowns"), "robot": (0x1F916, "robots"),
    "tree": (0x1F333, "trees"), "cactus": (0x1F335, "cactuses"), "sunflower": (0x1F33B, "sunflowers"),
}
NAMES = list(CLASSES)
SIGN = "sign"
WORDS = [
    "open", "stop", "exit", "cafe", "shop", "taxi", "hotel", "bank", "park", "zoo", "sale", "push",
    "pull", "art", "beach", "farm", "milk", "slow", "post", "music", "tea", "bar", "museum", "closed",
]
# name: hue (degrees), saturation and value ranges, with gaps between the families
COLOURS = {
    "red": ((-6, 5), (0.75, 0.95), (0.60, 0.88)),
    "orange": ((24, 33), (0.80, 1.0), (0.88, 0.98)),
    "yellow": ((51, 58), (0.60, 0.95), (0.90, 1.0)),
    "green": ((100, 140), (0.40, 0.85), (0.40, 0.80)),
    "blue": ((207, 232), (0.50, 0.90), (0.55, 0.95)),
    "purple": ((270, 286), (0.45, 0.80), (0.45, 0.78)),
    "pink": ((326, 342), (0.28, 0.50), (0.94, 1.0)),
    "grey": ((0, 360), (0.0, 0.04), (0.35, 0.68)),
}
# Sizes of objects by the scale of the scene, in px
SIZES = {1: range(48, 93, 4), SMALL: range(48, 77, 4)}
ANGLES = range(-25, 26, 5)


@dataclass
class Thing:
    """One object. `box` is [x, y, w, h] of its visible mask in scene pixels; `size` its longer side before rotation."""

    id: int
    name: str
    size: int
    text: str | None = None
    box: list[int] = field(default_factory=list)
    area: int = 0

    @property
    def x(self) -> float:
        return self.box[0] + self.box[2] / 2

    @property
    def y(self) -> float:
        return self.box[1] + self.box[3] / 2


@dataclass
class Scene:
    """`image` is the RGB picture of `side` x `side` px, `owner` [side, side] the id of the visible object at each pixel, or -1."""

    image: Image.Image
    owner: np.ndarray
    things: list[Thing]
    colour: str
    glyphs: list[tuple[str, float, float, float]]

    @property
    def side(self) -> int:
        return self.owner.shape[0]


@cache
def _emoji(name: str) -> Image.Image:
    glyph = chr(CLASSES[name][0])
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    font = ImageFont.truetype(EMOJI_FONT, 109)
    ImageDraw.Draw(image).text((8, 8), glyph, font=font, embedded_color=True)
    return image.crop(image.getbbox())


@cache
def _sprite(name: str, size: int, angle: int) -> tuple[Image.Image, np.ndarray]:
    """The object at a size and rotation, and where it is opaque (alpha > 0.5)."""
    image = _emoji(name)
    k = size / max(image.size)
    image = image.resize((max(1, round(image.width * k)), max(1, round(image.height * k))), Image.LANCZOS)
    image = image.rotate(angle, Image.BICUBIC, expand=True)
    image = image.crop(image.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
    return image, np.asarray(image.getchannel("A")) > 127


@cache
def _sign_font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(SIGN_FONT, size)


def _sign(text: str, rng: np.random.Generator):
    """A light board with a dark border: image, opacity, and (character, x0, x1, y) of each glyph."""
    upper = text.upper()
    points = int(rng.integers(28, 41))
    while _sign_font(points).getlength(upper) > 128:
        points -= 1
    font = _sign_font(points)
    length = font.getlength(upper)
    left, top, right, bottom = font.getbbox(upper)
    pad_x, pad_y, border = int(rng.integers(7, 14)), int(rng.integers(7, 13)), int(rng.integers(2, 5))
    width, height = max(48, int(right - left) + 2 * pad_x), int(bottom - top) + 2 * pad_y
    light = tuple(int(v) for v in rng.integers(225, 256, 3))
    dark = tuple(int(v) for v in rng.integers(0, 70, 3))
    image = Image.new("RGBA", (width, height), (*light, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, height - 1), outline=(*dark, 255), width=border)
    x0, y0 = (width - (right - left)) / 2 - left, (height - (bottom - top)) / 2 - top
    draw.text((x0, y0), upper, font=font, fill=(*dark, 255))
    glyphs, at = [], x0
    for character in upper:
        advance = font.getlength(character)
        glyphs.append((character, at, at + advance * (length / max(length, 1)), height / 2))
        at += advance
    return image, np.ones((height, width), bool), glyphs


def _rgb(colour: str, rng: np.random.Generator) -> np.ndarray:
    h, s, v = (rng.uniform(*bounds) for bounds in COLOURS[colour])
    return np.array(colorsys.hsv_to_rgb(h / 360 % 1, s, v), np.float32) * 255


@cache
def _mesh(side: int) -> np.ndarray:
    return np.mgrid[0:side, 0:side].astype(np.float32)


def _background(colour: str, side: int, rng: np.random.Generator) -> Image.Image:
    """Flat, gradient or textured, all of one colour family, with small shapes that are no objects."""
    rows, columns = _mesh(side)
    base = _rgb(colour, rng)
    kind = rng.integers(6)
    amount = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    if kind == 1:
        amount = (along - along.mean()) / (side * 272 / 192)
    elif kind == 2:
        coarse = rng.normal(0, 0.5, (int(rng.integers(4, 40)),) * 2).astype(np.float32)
        amount = np.asarray(Image.fromarray(coarse).resize((side, side), Image.BICUBIC))
    elif kind == 3:
        amount = np.sin(along * np.float32(2 * np.pi / rng.uniform(10, 40))) * 0.5
    elif kind == 4:
        cell = rng.integers(8, 32)
        amount = ((columns // cell + rows // cell) % 2 - 0.5).astype(np.float32)
    elif kind == 5:
        cell = float(rng.integers(14, 32))
        amount = (((columns % cell - cell / 2) ** 2 + (rows % cell - cell / 2) ** 2) < (cell * 0.28) ** 2).astype(np.float32)
    amount = 1 + np.clip(amount * np.float32(rng.uniform(0.08, 0.25)), -0.2, 0.2)
    pixels = base[None, None] * amount[..., None]
    if rng.random() < 0.4:
        pixels += rng.normal(0, rng.uniform(2, 9), (side, side, 1)).astype(np.float32)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 9)):
            x, y = (float(v) for v in rng.uniform(0, side, 2))
            fill = _rgb(list(COLOURS)[rng.integers(8)], rng) if rng.random() < 0.4 else base * rng.uniform(0.6, 1.2)
            fill = tuple(int(v) for v in np.clip(fill, 0, 255))
            r = float(rng.uniform(2, 8))
            shape = rng.integers(4)
            if shape == 0:
                dx, dy = (float(v) for v in rng.uniform(-50, 50, 2))
                draw.line((x, y, x + dx, y + dy), fill=fill, width=int(rng.integers(1, 4)))
            elif shape == 1:
                draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            elif shape == 2:
                draw.rectangle((x - r, y - r, x + r, y + r * 0.7), fill=fill)
            else:
                draw.polygon((x, y - r, x + r, y + r, x - r, y + r), fill=fill)
    return image


def scene(seed: int, index: int, scale: int = 1) -> tuple[Scene, np.random.Generator]:
    """The scene number `index` of a seed, on a canvas `scale` times as wide, and the generator in the state from which its questions are drawn."""
    side = SIZE * scale
    rng = np.random.default_rng([seed, index] if scale == 1 else [seed, index, scale])
    colour = list(COLOURS)[rng.integers(8)]
    image = _background(colour, side, rng)
    text = None
    if rng.random() < 0.38:
        text = WORDS[rng.integers(len(WORDS))] if rng.random() < 0.5 else str(rng.integers(100))
    count = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.3, 0.32, 0.28]))
    if text is not None:
        count = min(count, 3)
    names = [NAMES[i] for i in rng.permutation(len(NAMES))[:count]]
    if count >= 2 and rng.random() < 0.45:
        same = 3 if count >= 3 and rng.random() < 0.65 else 2
        names[1:same] = [names[0]] * (same - 1)

    owner = np.full((side, side), -1, np.int8)
    things: list[Thing] = []
    full: list[int] = []
    glyphs: list[tuple[str, float, float, float]] = []
    for name in ([SIGN] if text is not None else []) + names:
        for _ in range(12):
            if name == SIGN:
                sprite, opaque, local = _sign(text, rng)
                size = max(sprite.size)
            else:
                size = int(rng.choice(SIZES[scale]))
                sprite, opaque = _sprite(name, size, int(rng.choice(ANGLES)))
            w, h = sprite.size
            x, y = int(rng.integers(0, side - w + 1)), int(rng.integers(0, side - h + 1))
            covered = owner[y : y + h, x : x + w][opaque]
            hidden = np.bincount(covered[covered >= 0], minlength=len(things)) if things else []
            if any(
                cover > (0 if thing.name == SIGN else max(0, 0.12 * total - (total - thing.area)))
                for thing, cover, total in zip(things, hidden, full)
            ):
                continue
            for thing, cover in zip(things, hidden):
                thing.area -= int(cover)
            image.paste(sprite, (x, y), sprite)
            owner[y : y + h, x : x + w][opaque] = len(things)
            total = int(opaque.sum())
            things.append(Thing(len(things), name, size, text if name == SIGN else None, area=total))
            full.append(total)
            if name == SIGN:
                glyphs = [(c, x + a, x + b, y + m) for c, a, b, m in local]
            break
    for thing in things:
        mask = owner == thing.id
        xs, ys = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        thing.box = [int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1)]
    return Scene(image, owner, things, colour, glyphs), rng


def reduced(image: Image.Image, side: int = INPUT) -> np.ndarray:
    """The picture as a model's preprocessor reduces it: [side, side, 3] uint8."""
    return np.asarray(image.resize((side, side), Image.BICUBIC))
