"""Compare the exported graphs, run by onnxruntime, with the PyTorch model.

`python -m training.verify` compares what the models that start from `pocket` with its very logits say at their start.
"""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from . import tokens
from .generate import answer_greedily
from .model import Config, Pocket
from .questions import KINDS, ask
from .sight import Sight
from .variants import VARIANTS, trained
from .world import scene


def cache_names(c: Config, stem: str) -> list[str]:
    return [f"{stem}.{i}.{part}" for i in range(c.blocks) for part in ("key", "value")]


class Sessions:
    """The graphs in onnxruntime."""

    def __init__(self, folder: Path, c: Config):
        self.config = c
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.graphs = {f.stem: ort.InferenceSession(str(f), options, providers=["CPUExecutionProvider"]) for f in folder.glob("*.onnx")}
        self.embed, self.decoder = self.graphs["embed_tokens"], self.graphs["decoder_model_merged"]

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        """Projected features of the views of a picture, which one encoder or several take."""
        encoders = [self.graphs[n] for n in ("vision_encoder", "vision_encoder_low", "vision_encoder_high") if n in self.graphs]
        seen = [encoder.run(["image_features"], {"pixel_values": view})[0] for encoder, view in zip(encoders, views, strict=True)]
        if fusion := self.graphs.get("vision_fusion"):
            seen = fusion.run(None, dict(zip(("low", "high"), seen)))
        return seen[0]

    def prompt(self, image: np.ndarray, ids: list[int]) -> np.ndarray:
        x = self.embed.run(None, {"input_ids": np.array([ids], np.int64)})[0].copy()
        x[0, np.array(ids) == tokens.IMAGE] = image[0]
        return x

    def step(self, x: np.ndarray, past: list[np.ndarray] | None) -> tuple[np.ndarray, list[np.ndarray]]:
        c = self.config
        past = past or [np.zeros((x.shape[0], c.heads, 0, c.head), np.float32) for _ in range(2 * c.blocks)]
        start, total = past[0].shape[2], past[0].shape[2] + x.shape[1]
        feeds = {"inputs_embeds": x, "attention_mask": np.ones((x.shape[0], total), np.int64),
                 "position_ids": np.broadcast_to(np.arange(start, total), (x.shape[0], x.shape[1])).astype(np.int64)}
        feeds |= dict(zip(cache_names(c, "past_key_values"), past))
        logits, *present = self.decoder.run(None, feeds)
        return logits, present

    def greedy(self, image: np.ndarray, ids: list[int], most: int = 40) -> list[int]:
        logits, past = self.step(self.prompt(image, ids), None)
        out: list[int] = []
        while len(out) < most:
            out.append(int(logits[0, -1].argmax()))
            if out[-1] == tokens.EOS:
                break
            logits, past = self.step(self.embed.run(None, {"input_ids": np.array([[out[-1]]], np.int64)})[0], past)
        return out


def verify(model: Pocket, sight: Sight, folder: Path, scenes: int = 12) -> None:
    """onnxruntime agrees with PyTorch: logits within 1e-4, cached steps with full prefill, left padding, greedy answers."""
    sessions = Sessions(folder / "onnx", model.config)
    compared, worst, cached = 0, 0.0, 0.0
    for index in range(scenes):
        drawn, rng = scene(31, index, sight.scales[index % len(sight.scales)])
        views = sight.pixel_values(drawn.image)
        with torch.no_grad():
            pixels = [torch.from_numpy(view) for view in views]
            wanted = model.image(pixels)
            image = model.join(torch.from_numpy(sessions.features(views))).numpy()
        for kind in KINDS:
            item = ask(kind, drawn, rng)
            if item is None:
                continue
            prompt, answer = tokens.prompt(item.question, model.config.tokens), tokens.answer_ids(item.answer)
            ids = prompt + answer
            with torch.no_grad():
                x = model.merge(torch.tensor([ids]), wanted)
                want = model.decoder(x, torch.ones(1, len(ids), dtype=torch.int64), torch.arange(len(ids))[None], model.empty(1))[0].numpy()
            whole = sessions.prompt(image, ids)
            got, _ = sessions.step(whole, None)
            worst = max(worst, float(np.abs(got - want).max()))
            first, past = sessions.step(whole[:, : len(prompt)], None)
            rest, past = sessions.step(whole[:, len(prompt) : -1], past)
            final, _ = sessions.step(whole[:, -1:], past)
            cached = max(cached, float(np.abs(np.concatenate([first, rest, final], 1) - got).max()))
            expect = answer_greedily(model, pixels, [item.question])[0]
            assert sessions.greedy(image, prompt) == expect, item
            compared += 1
    # A left-padded row of a batch gives what the row gives alone.
    pad = 7
    padded = np.concatenate([np.repeat(whole[:, :1], pad, 1), whole], 1)
    mask = np.concatenate([np.zeros((1, pad)), np.ones((1, whole.shape[1]))], 1).astype(np.int64)
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    feeds = {"inputs_embeds": padded, "attention_mask": mask, "position_ids": positions}
    empty = np.zeros((1, model.config.heads, 0, model.config.head), np.float32)
    feeds |= {n: empty for n in cache_names(model.config, "past_key_values")}
    left = float(np.abs(sessions.decoder.run(["logits"], feeds)[0][:, pad:] - got).max())
    print(f"{compared} questions: greedy answers equal; largest difference of logits {worst:.1e}, cached {cached:.1e}, padded {left:.1e}")
    assert max(worst, cached, left) < 1e-4


@torch.no_grad()
def verify_start(name: str) -> None:
    """A model that has not learned yet gives `pocket`'s logits on the scenes of `verify`."""
    pocket, variant = trained("pocket"), VARIANTS[name]
    started, worst = variant.start(), 0.0
    for index in range(4):
        drawn, rng = scene(31, index)
        views = [torch.from_numpy(view) for view in variant.sight.pixel_values(drawn.image)]
        for item in filter(None, (ask(kind, drawn, rng) for kind in KINDS)):
            ids = torch.tensor([tokens.prompt(item.question) + tokens.answer_ids(item.answer)])
            logits = []
            # The first view is what pocket sees.
            for model, seen in ((pocket, views[:1]), (started, views)):
                x = model.merge(ids, model.image(seen))
                logits.append(model.decoder(x, torch.ones_like(ids), torch.arange(ids.shape[1])[None], model.empty(1))[0])
            worst = max(worst, float((logits[0] - logits[1]).abs().max()))
    print(f"{name} at its start: largest difference of logits {worst:.1e}")
    assert worst < 1e-3


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in ("pocket-large", "pocket-duo"):
        verify_start(each)
