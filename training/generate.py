"""Greedy answers in PyTorch, many questions on one image at a time."""

import torch
from torch import Tensor

from . import tokens
from .model import Pocket


@torch.no_grad()
def answer_greedily(model: Pocket, views: list[Tensor], questions: list[str], most: int = 40) -> list[list[int]]:
    """Token ids of the answers to questions on one image, given its views [pictures, 3, side, side], `<eos>` included where it was reached.

    The image is read once; the questions are right-aligned behind it.
    """
    decoder = model.decoder
    before = torch.tensor([tokens.prefix()])
    image = torch.cat([decoder.embed(before), model.image(views)], 1)
    n, m = len(questions), image.shape[1]
    _, past = decoder(image, torch.ones(1, m, dtype=torch.int64), torch.arange(m)[None], model.empty(1))
    past = [p.expand(n, -1, -1, -1) for p in past]
    rows = [tokens.question_ids(q) for q in questions]
    width = max(map(len, rows))
    ids = torch.tensor([[tokens.PAD] * (width - len(r)) + r for r in rows])
    real = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])
    mask = torch.cat([torch.ones(n, m, dtype=torch.int64), real], 1)
    positions = m + (real.cumsum(1) - 1).clamp(min=0)
    answers: list[list[int]] = [[] for _ in questions]
    for _ in range(most):
        logits, past = decoder(decoder.embed(ids), mask, positions, past)
        ids = logits[:, -1:].argmax(-1)
        for answer, token in zip(answers, ids[:, 0].tolist()):
            if not answer or answer[-1] != tokens.EOS:
                answer.append(token)
        if all(a[-1] == tokens.EOS for a in answers):
            break
        mask = torch.cat([mask, torch.ones(n, 1, dtype=torch.int64)], 1)
        positions = positions[:, -1:] + 1
    return answers
