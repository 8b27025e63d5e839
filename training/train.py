"""Train a model: `python -m training.train --model pocket`. Resumes from training/checkpoints/<model>.pt where there is one.

The weights are float32; forward and backward run on a bfloat16 copy of them, which processors with AVX512_BF16 or AMX compute three times
as fast; on others `--precision float32` is the faster. Answers and the dense labels of the encoder (which stand in for CLIP's pretraining)
are learned together.
"""

import argparse
import copy
import json
import math
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import tokens
from .data import COUNT, HEADS, ROW, VERDICTS, Batch, batches
from .model import Pocket, States
from .questions import KINDS, SIDES, plural
from .variants import VARIANTS, Variant, trained
from .world import NAMES, SIGN

# Of the parameters inside transformer and ConvNeXt blocks
BLOCK = re.compile(r"\.(blocks|fine|coarse)\.")
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
CHECKPOINTS = Path(__file__).parent / "checkpoints"
# Of each part of the loss
WEIGHT = {
    "answers": 1.0, "what": 1.0, "left": 0.2, "right": 0.2, "above": 0.2, "below": 0.2, "same": 0.4, "rank": 0.3, "word": 0.3, "tens": 0.3,
    "ones": 0.3, "glyph": 0.5, "colour": 0.1, "place": 1.5, "named": 0.5, "named_many": 0.5, "found": 0.5, "many": 0.5, "where": 1.0, "verdict": 1.0,
    "lies": 1.0, "beside": 1.0, "order": 0.5, "pointed": 0.5,
}
# Tokens of the names of the dense label "what", in singular and plural.
NAMING = {"named": [tokens.ids(" " + n)[0] for n in [*NAMES, SIGN]], "named_many": [tokens.ids(" " + plural(n))[0] for n in [*NAMES, SIGN]]}

# The label "what" (or 0) of each token of the vocabulary.
NAMED = torch.zeros(tokens.load().get_vocab_size(), dtype=torch.int64)
for _names in NAMING.values():
    NAMED[_names] = torch.arange(1, len(_names) + 1)


class Trainee(nn.Module):
    """The model with the linear heads that only training needs, which are not exported."""

    def __init__(self, model: Pocket):
        super().__init__()
        c = model.config
        self.model = model
        self.dense = nn.ModuleList(nn.Linear(width, sum(HEADS.values()) + 3) for width in model.vision.widths)
        self.lies = nn.Linear(c.width, 2)
        self.order = nn.Linear(c.width, HEADS["rank"] + HEADS["same"])
        self.probe = nn.Linear(c.width, 7)
        self.beside = nn.Linear(c.width, len(SIDES) * COUNT)
        self.judge = nn.Linear(c.width, len(VERDICTS))
        # Zeros ask nothing of a model that has learned before, until the heads have learned to read it.
        for head in (*self.dense, self.lies, self.order, self.probe, self.beside, self.judge):
            nn.init.zeros_(head.weight)

    def forward(self, *inputs) -> tuple:
        s = self.model.packed(*inputs)
        dense = [head(seen) for head, seen in zip(self.dense, s.stages)]
        return s, dense, self.lies(s.image), self.order(s.ranked), self.probe(s.after), self.beside(s.late), self.judge(s.late)


def mask(pair: Tensor, before: int, dtype: torch.dtype) -> Tensor:
    """[b, 1, t, before + t]: each question sees the `before` tokens of the image, and itself causally."""
    b, t = pair.shape
    own = (pair[:, :, None] == pair[:, None, :]) & torch.ones(t, t, dtype=torch.bool).tril()
    return torch.cat([torch.zeros(b, t, before, dtype=dtype), (~own).to(dtype) * -1e9], 2)[:, None]


def objects(labels: Tensor) -> Tensor:
    """Which patches show an object, whether or not it can be told which. labels [b, heads, n]; [b, n]."""
    return (labels[:, ROW["what"]] > 0) | (labels[:, ROW["rank"]] >= 0)


def encoder_losses(dense: Tensor, labels: Tensor, place: Tensor | None, empty: float) -> dict[str, Tensor]:
    """Of the dense labels of each patch, and of the place and size of the object there. `empty`: weight of patches without an object."""
    losses = {}
    for i, (name, piece) in enumerate(zip(HEADS, dense.float().split([*HEADS.values(), 3], 2))):
        known = labels[:, i] >= 0
        if known.any():
            weight = torch.cat([torch.tensor([empty]), torch.ones(COUNT - 1)]) if name == "what" else None
            losses[name] = F.cross_entropy(piece[known], labels[:, i][known], weight)
    if place is not None:
        known = objects(labels)
        losses["place"] = (dense[..., -3:][known].float() - place[known]).abs().mean()
    return losses


def lookup_losses(model: Pocket, ids: Tensor, first: int, states: States, probe: Tensor, beside: Tensor, names: Tensor, spots: Tensor) -> dict[str, Tensor]:
    """Of finding in the image what a word names. `first` tokens stand before the image."""
    losses = {}
    # What an object's patch becomes for the decoder should resemble the embeddings of its name, so that words find what they name.
    known = names[:, 0] > 0
    for name, words in NAMING.items():
        logits = (states.features[known] @ model.decoder.embed(torch.tensor(words)).t()).float()
        losses[name] = F.cross_entropy(logits, names[:, 0][known] - 1)
    # From a name, one head looks at the patches of what it names, or at <bos> where there is none.
    named = NAMED[ids] * (names[:, 0].amax(1) >= 0)[:, None]
    rows = named.nonzero(as_tuple=True)
    patches = names[:, 0][rows[0]] == named[rows][:, None]
    columns = F.pad(patches, (first, 0))
    columns[:, 0] = ~patches.any(1)
    scores = states.found[rows].float()
    losses["found"] = (scores.logsumexp(1) - scores.masked_fill(~columns, -1e9).logsumexp(1)).mean()
    # What it finds there, the name must then know: how many there are, and of a single one its place and size, and later its neighbours.
    probe = probe[rows].float()
    many = (names[:, ROW["same"]][rows[0]] * patches).amax(1)
    losses["many"] = F.cross_entropy(probe[:, :4], many)
    where = (spots[rows[0]] * patches[:, :, None]).sum(1) / patches.sum(1).clamp(min=1)[:, None]
    losses["where"] = (probe[:, 4:] - where)[many == 1].abs().mean()
    neighbours = (names[:, [ROW[side] for side in SIDES]][rows[0]] * patches[:, None]).amax(2)
    losses["beside"] = F.cross_entropy(beside[rows].float().view(-1, len(SIDES), COUNT)[many == 1].flatten(0, 1), neighbours[many == 1].flatten())
    return losses


def order_losses(order: Tensor, names: Tensor) -> dict[str, Tensor]:
    """Of each image token knowing which object from the left it shows, and how many there are like it."""
    losses = [
        F.cross_entropy(piece[known].float(), names[:, ROW[name]][known])
        for name, piece in zip(("rank", "same"), order.split([HEADS["rank"], HEADS["same"]], 2))
        if (known := names[:, ROW[name]] >= 0).any()
    ]
    return {"order": sum(losses)} if losses else {}


def pointing_losses(ids: Tensor, target: Tensor, pair: Tensor, kind: Tensor, first: int, pointed: Tensor, names: Tensor) -> dict[str, Tensor]:
    """Of looking, before a name is spoken, at what is to be named; in a description also before its number. `first` tokens stand before the image."""
    spoken = NAMED[target.clamp(min=0)] * (target >= 0)
    before = F.pad(spoken[:, 1:], (0, 1)) * (pair == F.pad(pair[:, 1:], (0, 1), value=-1)) * (kind == KINDS.index("describe")) * (target >= 0)
    label = torch.where(spoken > 0, spoken, before)
    rows = label.nonzero(as_tuple=True)
    patches = names[:, 0][rows[0]] == label[rows][:, None]
    seen = patches.any(1)
    if not seen.any():
        return {}
    scores = pointed[rows][seen].float()
    columns = F.pad(patches[seen], (first, 0))
    return {"pointed": (scores.logsumexp(1) - scores.masked_fill(~columns, -1e9).logsumexp(1)).mean()}


def exact_match(batch: Batch, wrong: np.ndarray) -> dict[str, list[bool]]:
    """Of each kind's questions on pictures that can be seen, which were answered without a wrong token. `wrong` [b, t]."""
    seen = (batch.pair >= 0) & (batch.names[:, 0].max(1) >= 0)[:, None]
    index = (np.arange(len(wrong))[:, None] * 64 + batch.pair)[seen]
    misses = np.bincount(index, wrong[seen], minlength=64 * len(wrong))
    kinds = np.full(64 * len(wrong), -1)
    kinds[index] = batch.kind[seen]
    return {k: (misses[kinds == i] == 0).tolist() for i, k in enumerate(KINDS)}


def loss(trainee: Trainee, variant: Variant, batch: Batch, noise: torch.Generator) -> tuple[Tensor, dict]:
    """The training loss; and for the log its parts, and exact match by kind."""
    model, dtype = trainee.model, next(trainee.parameters()).dtype
    views = [torch.from_numpy(view).permute(0, 1, 4, 2, 3).float() / 127.5 - 1 for view in batch.views]
    noisy = torch.rand(len(views[0]), 1, 1, 1, 1, generator=noise)
    views = [(view + torch.randn(view.shape, generator=noise) * ((noisy - 0.8).clamp(min=0))).flatten(0, 1).to(dtype) for view in views]
    ids, positions, pair, target = (torch.from_numpy(a) for a in (batch.tokens, batch.positions, batch.pair, batch.target))
    labels, names, verdict = (torch.from_numpy(a).long() for a in (batch.labels, batch.names, batch.verdict))
    place, spots, lies = (torch.from_numpy(a) for a in (batch.place, batch.spots, batch.lies))
    labels, place = labels.flatten(0, 1), place.flatten(0, 1)
    # Time is spent on learning from tiles that show an object.
    learning = objects(labels).any(1)
    prefix = torch.tensor(tokens.prefix())
    bias = mask(pair, len(prefix) + model.config.tokens, dtype)
    states, dense, lying, order, probe, beside, judged = trainee(views, learning, prefix, ids, positions, bias)

    at = target >= 0
    logits = model.decoder.head(states.last[at]).float()
    each = F.cross_entropy(logits, target[at], reduction="none")
    weight = torch.tensor([variant.emphasis.get(k, 1.0) for k in KINDS])[torch.from_numpy(batch.kind).long()[at]]
    losses = {"answers": (each * weight).sum() / weight.sum()}
    known = {labels.shape[2]: (labels, place)}
    if batch.fine is not None:
        known[batch.fine.shape[2]] = (torch.from_numpy(batch.fine).long(), None)
    for stage in dense:
        if stage.requires_grad:
            losses |= {k: losses.get(k, 0) + v for k, v in encoder_losses(stage, *known[stage.shape[1]], variant.empty).items()}
    inside = ~lies[:, 0].isnan()
    losses["lies"] = (lying[:, inside].float() - lies[inside]).abs().mean()
    losses |= order_losses(order, names) | pointing_losses(ids, target, pair, torch.from_numpy(batch.kind), len(prefix), states.pointed, names)
    losses |= lookup_losses(model, ids, len(prefix), states, probe, beside, names, spots)
    # At the end of the question the judgement is made, one block before the answer.
    judging = (verdict >= 0) & (names[:, 0].amax(1) >= 0)[:, None]
    losses["verdict"] = F.cross_entropy(judged[judging].float(), verdict[judging])
    total = sum(WEIGHT[name] * (variant.answers if name == "answers" else 1) * value for name, value in losses.items())

    wrong = np.zeros(target.shape)
    wrong[at.numpy()] = (logits.argmax(-1) != target[at]).numpy()
    return total, {"parts": {k: v.item() for k, v in losses.items()}, "exact": exact_match(batch, wrong)}


def optimizers_of(trainee: Trainee, variant: Variant) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer blocks, AdamW for everything else. The `share` of each group is that of the learning rate."""
    groups: dict[tuple[float, bool, bool], list[Tensor]] = {}
    for name, p in trainee.named_parameters():
        if p.requires_grad:
            share = next((share for part, share in variant.slow.items() if name.startswith(f"model.{part}")), 1.0)
            key = (share, p.ndim == 2 and bool(BLOCK.search(name)), p.ndim > 1)
            groups.setdefault(key, []).append(p)
    muon = [{"params": ps, "share": share} for (share, inner, _), ps in groups.items() if inner]
    adam = [{"params": ps, "share": share, "weight_decay": 0.02 if matrix else 0.0} for (share, inner, matrix), ps in groups.items() if not inner]
    return [
        torch.optim.Muon(muon, lr=variant.rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(adam, lr=variant.rate, betas=(0.9, 0.98), fused=True),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=VARIANTS, default="pocket")
    parser.add_argument("--minutes", type=float, default=100, help="length of the schedule; training stops at its end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps (0: at the end of the schedule)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="ignore checkpoints")
    parser.add_argument("--exported", action="store_true", help="start from the model's exported weights, where there is no checkpoint")
    parser.add_argument("--heads", type=int, default=0, help="for so many steps only the heads learn that training alone needs")
    parser.add_argument("--rate", type=float, help="highest learning rate (default: the model's)")
    parser.add_argument("--batch", type=int, help="scenes in a step (default: the model's)")
    parser.add_argument("--precision", choices=PRECISIONS, default="bfloat16", help="of the passes")
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    CHECKPOINTS.mkdir(exist_ok=True)

    variant = VARIANTS[o.model]
    variant = replace(variant, rate=o.rate or variant.rate, batch=o.batch or variant.batch)
    master = Trainee(trained(o.model) if o.exported else (variant.start or variant.build)()).train()
    for name, p in master.named_parameters():
        p.requires_grad_(not name.startswith(tuple(f"model.{part}" for part in variant.frozen)))
    if variant.encoder_frozen:
        master.dense.requires_grad_(False)
    fast = copy.deepcopy(master).to(PRECISIONS[o.precision])
    average = copy.deepcopy(master.model)
    print("parameters", sum(p.numel() for p in master.model.parameters()), flush=True)
    params, quick = ([p for p in m.parameters() if p.requires_grad] for m in (master, fast))
    exported = [p for p in fast.model.parameters() if p.requires_grad]
    optimizers = optimizers_of(master, variant)
    step, before = 0, 0.0
    last = CHECKPOINTS / f"{o.model}.pt"
    if last.exists() and not o.fresh:
        saved = torch.load(last)
        master.load_state_dict(saved["master"])
        average.load_state_dict(saved["average"])
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        step, before = saved["step"], saved["seconds"]

    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    noise = torch.Generator()
    start = last_saved = time.time()
    log, window = open(CHECKPOINTS / f"{o.model}.jsonl", "a"), []
    for batch in batches(variant.sight, o.seed, step, variant.batch):
        seconds = before + time.time() - start
        done = min(1.0, seconds / (60 * o.minutes))
        rate = variant.rate * min(1, (step + 1) / variant.warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
        with torch.no_grad():
            torch._foreach_copy_(quick, params)
        for p in quick:
            p.grad = None
        for p in exported:
            p.requires_grad_(step >= o.heads)
        value, seen = loss(fast, variant, batch, noise.manual_seed(step))
        value.backward()
        for p, q in zip(params, quick):
            p.grad = q.grad.float() if q.grad is not None else None
        nn.utils.clip_grad_norm_(params, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(master.model.parameters()), 1 - min(variant.average, step / (step + 20)))
        window.append(seen)
        if step % 20 == 0:
            exact = {k: sum((w["exact"][k] for w in window), []) for k in KINDS}
            line = {"step": step, "seconds": round(seconds), "rate": round(rate, 6), "all": np.mean(sum(exact.values(), [])),
                    **{k: np.mean(v) for k, v in exact.items()},
                    **{"loss_" + k: np.mean(v) for k in WEIGHT if (v := [w["parts"][k] for w in window if k in w["parts"]])}}
            text = json.dumps({k: round(float(v), 6 if k == "rate" else 3) for k, v in line.items()})
            print(text, flush=True)
            log.write(text + "\n")
            log.flush()
            window = []
        end = done >= 1 or step == o.steps or bool(asked_to_stop)
        if end or time.time() - last_saved > 180:
            last_saved = time.time()
            temporary = last.with_suffix(".tmp")
            torch.save({"master": master.state_dict(), "average": average.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                        "step": step, "seconds": seconds, "config": master.model.config.__dict__}, temporary)
            temporary.replace(last)
        if end:
            break


if __name__ == "__main__":
    main()
