"""Train `pocket`: `python -m training.train --minutes 70`. Resumes from training/checkpoints/last.pt where there is one.

The weights are float32; forward and backward run on a bfloat16 copy of them, which processors with AVX512_BF16 or AMX compute three times
as fast. Answers and the dense labels of the encoder (which stand in for CLIP's pretraining) are learned together.
"""

import argparse
import copy
import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import tokens
from .data import HEADS, VERDICTS, Batch, batches
from .model import Config, Pocket
from .questions import KINDS, plural
from .world import NAMES, SIGN

CHECKPOINTS = Path(__file__).parent / "checkpoints"
WEIGHT = {"what": 1.0, "left": 0.2, "right": 0.2, "above": 0.2, "below": 0.2, "same": 0.4, "rank": 0.3, "word": 0.3, "tens": 0.3,
          "ones": 0.3, "glyph": 0.5, "colour": 0.1}

# Kinds whose answers hang on one token in a short sentence.
EMPHASIS = {"existence": 2.0, "yesno": 3.0, "position": 2.0, "size": 2.0, "relation": 1.5}
# Tokens of the names of the dense label "what", in singular and plural.
NAMING = {"named": [tokens.ids(" " + n)[0] for n in [*NAMES, SIGN]], "named_many": [tokens.ids(" " + plural(n))[0] for n in [*NAMES, SIGN]]}

# The label "what" (or 0) of each token of the vocabulary.
NAMED = torch.zeros(tokens.load().get_vocab_size(), dtype=torch.int64)
for _names in NAMING.values():
    NAMED[_names] = torch.arange(1, len(_names) + 1)


class Trainee(nn.Module):
    """The model with the linear heads of its encoder's dense labels, which are not exported."""

    def __init__(self, config: Config):
        super().__init__()
        self.model = Pocket(config)
        self.dense = nn.Linear(config.width, sum(HEADS.values()) + 3)
        self.probe = nn.Linear(config.width, 7)
        self.judge = nn.Linear(config.width, len(VERDICTS))

    def forward(self, pixels: Tensor, prefix: Tensor, ids: Tensor, positions: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        states, seen, features, found, after, late = self.model.packed(pixels, prefix, ids, positions, bias)
        return states, self.dense(seen), features, found, self.probe(after), self.judge(late)


def mask(pair: Tensor, before: int, dtype: torch.dtype) -> Tensor:
    """[b, 1, t, before + t]: each question sees the `before` tokens of the image, and itself causally."""
    b, t = pair.shape
    own = (pair[:, :, None] == pair[:, None, :]) & torch.ones(t, t, dtype=torch.bool).tril()
    return torch.cat([torch.zeros(b, t, before, dtype=dtype), (~own).to(dtype) * -1e9], 2)[:, None]


def loss(trainee: Trainee, forward, batch: Batch, noise: torch.Generator) -> tuple[Tensor, dict]:
    """The training loss, and for logging the answers' loss and exact match by kind."""
    model, dtype = trainee.model, next(trainee.parameters()).dtype
    pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    noisy = torch.rand(len(pixels), 1, 1, 1, generator=noise)
    pixels = pixels + torch.randn(pixels.shape, generator=noise) * ((noisy - 0.8).clamp(min=0))
    ids, positions, pair, target = (torch.from_numpy(a) for a in (batch.tokens, batch.positions, batch.pair, batch.target))
    prefix = torch.tensor(tokens.prefix())
    bias = mask(pair, len(prefix) + model.config.tokens, dtype)
    states, dense, features, found, probe, judged = forward(pixels.to(dtype), prefix, ids, positions, bias)

    at = target >= 0
    logits = model.decoder.head(states[at]).float()
    right = target[at]
    each = F.cross_entropy(logits, right, reduction="none")
    weight = torch.tensor([EMPHASIS.get(k, 1.0) for k in KINDS])[torch.from_numpy(batch.kind).long()[at]]
    answers = (each * weight).sum() / weight.sum()

    total, parts = answers, {}
    labels = torch.from_numpy(batch.labels).long()
    dense = dense.float()
    for i, (name, piece) in enumerate(zip(HEADS, dense.split([*HEADS.values(), 3], 2))):
        known = labels[:, i] >= 0
        if known.any():
            parts[name] = F.cross_entropy(piece[known], labels[:, i][known])
            total = total + WEIGHT[name] * parts[name]
    known = labels[:, 0] > 0
    parts["place"] = (dense[..., -3:][known] - torch.from_numpy(batch.place)[known]).abs().mean()
    total = total + 1.5 * parts["place"]
    # What an object's patch becomes for the decoder should resemble the embeddings of its name, so that words find what they name.
    for name, words in NAMING.items():
        logit = (features[known] @ model.decoder.embed(torch.tensor(words)).t()).float()
        parts[name] = F.cross_entropy(logit, labels[:, 0][known] - 1)
        total = total + 0.5 * parts[name]
    # From a name, one head looks at the patches of what it names, or at <bos> where there is none.
    named = NAMED[ids] * (labels[:, 0, :1] >= 0)
    rows = named.nonzero(as_tuple=True)
    scores = found[rows].float()
    right_patch = labels[:, 0][rows[0]] == named[rows][:, None]
    target_column = torch.zeros(scores.shape, dtype=torch.bool)
    target_column[:, len(prefix) :] = right_patch
    target_column[:, 0] = ~right_patch.any(1)
    parts["found"] = (scores.logsumexp(1) - scores.masked_fill(~target_column, -1e9).logsumexp(1)).mean()
    total = total + 0.5 * parts["found"]

    # What it finds there, the name must then know: how many there are, and of a single one its place and size.
    probe, place = probe[rows].float(), torch.from_numpy(batch.place)[rows[0]]
    many = (labels[:, list(HEADS).index("same")][rows[0]] * right_patch).amax(1)
    parts["many"] = F.cross_entropy(probe[:, :4], many)
    one = many == 1
    where = (place * right_patch[:, :, None]).sum(1) / right_patch.sum(1).clamp(min=1)[:, None]
    parts["where"] = (probe[:, 4:][one] - where[one]).abs().mean()
    total = total + 0.5 * parts["many"] + parts["where"]

    # At the end of the question the judgement is made, one block before the answer.
    verdict = torch.from_numpy(batch.verdict).long() * (labels[:, 0, :1] >= 0) - (labels[:, 0, :1] < 0).long()
    parts["verdict"] = F.cross_entropy(judged[verdict >= 0].float(), verdict[verdict >= 0])
    total = total + parts["verdict"]
    yesno = (verdict >= 0) & (verdict < 4)
    parts["verdict_side"] = F.cross_entropy(judged[yesno].float(), verdict[yesno]).detach()

    with torch.no_grad():
        wrong = torch.zeros(target.shape, dtype=torch.bool)
        wrong[at] = logits.argmax(-1) != right
        wrong, pairs, kinds = wrong.numpy(), batch.pair, batch.kind
        blank = (batch.labels[:, 0, 0] < 0)[:, None]
        index = (np.arange(len(pairs))[:, None] * 64 + pairs)[(pairs >= 0) & ~blank]
        miss = np.bincount(index, wrong[(pairs >= 0) & ~blank], minlength=64 * len(pairs))
        kind = np.full(64 * len(pairs), -1)
        kind[index] = kinds[(pairs >= 0) & ~blank]
    return total, {"answers": answers.item(), "parts": {k: v.item() for k, v in parts.items()},
                   "exact": {k: (miss[kind == i] == 0).tolist() for i, k in enumerate(KINDS)}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=75, help="length of the schedule; training stops at its end")
    parser.add_argument("--batch", type=int, default=24, help="scenes a step")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps (0: at the end of the schedule)")
    parser.add_argument("--compile", action="store_true", help="compile with torch.compile (needs a C++ compiler)")
    parser.add_argument("--name", default="last", help="name of the checkpoint")
    parser.add_argument("--fresh", action="store_true", help="ignore checkpoints")
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(2)
    CHECKPOINTS.mkdir(exist_ok=True)

    config = Config(vocab=tokens.load().get_vocab_size())
    master = Trainee(config)
    fast = copy.deepcopy(master).to(torch.bfloat16)
    average = copy.deepcopy(master.model)
    print("parameters", sum(p.numel() for p in master.model.parameters()), flush=True)
    params, quick = list(master.parameters()), list(fast.parameters())
    # Muon for the matrices of the transformer blocks, AdamW for everything else.
    inner = [p for n, p in master.named_parameters() if ".blocks." in n and p.ndim == 2]
    others = [p for n, p in master.named_parameters() if not (".blocks." in n and p.ndim == 2) and not n.startswith(("probe", "judge"))]
    optimizers = [
        torch.optim.Muon(inner, lr=o.rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [{"params": [p for p in others if p.ndim > 1], "weight_decay": 0.02}, {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0}],
            lr=o.rate, betas=(0.9, 0.98), fused=True,
        ),
        torch.optim.AdamW(master.probe.parameters(), lr=o.rate),
        torch.optim.AdamW(master.judge.parameters(), lr=o.rate),
    ]
    step, before = 0, 0.0
    last = CHECKPOINTS / f"{o.name}.pt"
    if last.exists() and not o.fresh:
        saved = torch.load(last)
        master.load_state_dict(saved["master"], strict=False)
        average.load_state_dict(saved["average"])
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        step, before = saved["step"], saved["seconds"]

    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    forward = torch.compile(fast, dynamic=False) if o.compile else fast
    noise = torch.Generator()
    start = last_saved = time.time()
    log, window = open(CHECKPOINTS / "log.jsonl", "a"), []
    for batch in batches(o.seed, step, o.batch):
        seconds = before + time.time() - start
        done = min(1.0, seconds / (60 * o.minutes))
        rate = o.rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        with torch.no_grad():
            torch._foreach_copy_(quick, params)
        for p in quick:
            p.grad = None
        value, seen = loss(fast, forward, batch, noise.manual_seed(step))
        value.backward()
        for p, q in zip(params, quick):
            p.grad = q.grad.float() if q.grad is not None else None
        nn.utils.clip_grad_norm_(params, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(master.model.parameters()), 1 - min(0.998, step / (step + 20)))
        window.append(seen)
        if step % 50 == 0:
            exact = {k: sum((w["exact"][k] for w in window), []) for k in KINDS}
            line = {"step": step, "seconds": round(seconds), "rate": round(rate, 6), "answers": np.mean([w["answers"] for w in window]).round(4),
                    "all": np.mean(sum(exact.values(), [])).round(3), **{k: np.mean(v).round(3) for k, v in exact.items()},
                    **{"d_" + k: np.nanmean([w["parts"].get(k, np.nan) for w in window]).round(3) for k in [*HEADS, "place", *NAMING, "found", "many", "where", "verdict", "verdict_side"]}}
            text = json.dumps({k: float(v) for k, v in line.items()})
            print(text, flush=True)
            log.write(text + "\n")
            log.flush()
            window = []
        end = done >= 1 or step == o.steps or bool(asked_to_stop)
        if end or time.time() - last_saved > 240:
            last_saved = time.time()
            temporary = last.with_suffix(".tmp")
            torch.save({"master": master.state_dict(), "average": average.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                        "step": step, "seconds": seconds, "config": config.__dict__}, temporary)
            temporary.replace(last)
        if end:
            break


if __name__ == "__main__":
    main()
