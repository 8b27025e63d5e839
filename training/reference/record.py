"""
Reference numbers of one family, from transformers itself: what its processor makes of a picture and a question, what the model
answers, the logits at the answer's positions, and the gradient of Σ log p(answer) with respect to the pixels.
"""

import base64
import copy
import json
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from onnxruntime import InferenceSession
from torch import nn

from . import pictures

ROOT = Path(__file__).parents[2] / "test" / "reference"
QUESTIONS = ["What is in the picture?", "Where is the dark disc, left or right?"]
NEW_TOKENS = 6
# Of logits between the greedy token and the next: a reference in which float32 could tip the choice would test nothing.
MARGIN = 0.01
SAMPLES = 6000


def packed(values) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def sampled(tensor: torch.Tensor) -> dict:
    """Every stride-th value of a tensor, with a stride that hits all rows and columns alike."""
    flat = tensor.detach().double().numpy().reshape(-1)
    stride = max(1, flat.size // SAMPLES)
    while stride > 1 and any(stride % p == 0 for p in (2, 3, 5, 7)):
        stride += 1
    return {
        "dims": list(tensor.shape), "stride": stride, "norm": float(np.linalg.norm(flat)),
        "values": packed(flat[::stride]),
    }


def messages(question: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def record(
    name: str, model: nn.Module, processor, *, prompt=None, wrt: str = "pixel_values",
    extend=lambda inputs, answer: {"input_ids": torch.cat([inputs["input_ids"], answer], 1)},
    positions=None, planar=lambda gradient, inputs: gradient, about: str = "", add_special_tokens: bool = False,
    least_margin: float = MARGIN,
) -> list[tuple[dict, dict]]:
    """
    Write test/reference/<name>/reference.json; gives each case with the processor's outputs.
    @param prompt text for the processor from a question; by default the tokenizer's chat template renders it
    @param least_margin of logits between the greedy token and the next
    @param extend the inputs that grow with the answer, from (inputs, answer[:, :-1])
    @param add_special_tokens where the tokenizer, not the template, writes the first token
    @param planar the gradient with respect to the picture [3, height, width] from that with respect to its patches
    @param positions position ids of the whole sequence, from the inputs; recorded where given
    """
    tokenizer = processor.tokenizer
    if prompt is None:
        prompt = lambda question: tokenizer.apply_chat_template(messages(question), tokenize=False, add_generation_prompt=True)
    double = copy.deepcopy(model).double()
    cases, runs = [], []
    for picture, question in [("landscape", 0), ("portrait", 1), ("tiny", 0)]:
        question = QUESTIONS[question]
        rendered = prompt(question)
        # Tokens that the template writes out are not written a second time.
        inputs = dict(processor(
            images=[pictures.load(picture)], text=[rendered], return_tensors="pt", text_kwargs={"add_special_tokens": add_special_tokens},
        ))
        inputs.pop("labels", None)
        length = inputs["input_ids"].shape[1]
        with torch.no_grad():
            answer = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)[:, length:]
        assert answer.shape[1] > 0
        whole = {**inputs, "attention_mask": torch.ones(1, length + answer.shape[1] - 1, dtype=torch.int64)}
        whole |= extend(inputs, answer[:, :-1])
        pixels = inputs[wrt].double().requires_grad_()
        logits = double(**{**whole, wrt: pixels}, use_cache=False).logits[0, length - 1 :]
        assert logits.argmax(-1).tolist() == answer[0].tolist(), "teacher forcing must agree with generation"
        best = logits.topk(2, -1).values
        margin = (best[:, 0] - best[:, 1]).min().item()
        assert margin > least_margin, f"{name}, {picture}: the choice of a token is too close ({margin:.4f}); take another seed"
        log_p = logits.log_softmax(-1).gather(1, answer[0][:, None])[:, 0]
        log_p.sum().backward()
        case = {
            "picture": f"{picture}.png", "question": question, "prompt": rendered,
            "input_ids": inputs["input_ids"][0].tolist(), "answer_ids": answer[0].tolist(),
            "inputs": {key: whole_or_sample(value) for key, value in inputs.items() if key not in ("input_ids", "attention_mask")},
            "logits": {"dims": list(logits.shape), "values": packed(logits.detach().numpy())},
            "log_p": log_p.tolist(), "gradient": sampled(planar(pixels.grad, inputs)),
        }
        if positions is not None:
            case["position_ids"] = positions(inputs).tolist()
        cases.append(case)
        runs.append((case, inputs))
        print(f"{name} {picture}: {length} tokens, answer {answer[0].tolist()} {tokenizer.decode(answer[0])!r}, margin {margin:.3f}, "
              f"gradient {pixels.grad.norm():.3g}")
    answers = {tuple(case["answer_ids"]) for case in cases}
    assert len(answers) > 1, f"{name}: every picture has the same answer; take another seed"
    content = {
        "about": "transformers in float64; gradient of the sum of log p over the answer, with respect to " + wrt + "; arrays are base64 of "
                 "little-endian float32, every stride-th value. " + about,
        "versions": {
            "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "tokenizers": tokenizers.__version__,
        },
        "cases": cases,
    }
    (ROOT / name).mkdir(parents=True, exist_ok=True)
    (ROOT / name / "reference.json").write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")
    return runs


def whole_or_sample(value: torch.Tensor) -> dict:
    """An input: pixels are sampled, everything else is written out."""
    if value.is_floating_point():
        return sampled(value)
    return {"dims": list(value.shape), "values": value.reshape(-1).tolist() if value.numel() <= 4096 else None}


def check_graphs(
    name: str, runs: list[tuple[dict, dict]], image_token: int, *, rename: dict[str, str] = {}, first_position: int = 0, assemble=None,
    suffixes: dict[str, str] = {}, tolerance: float = 1e-3,
) -> None:
    """
    Hold the traced graphs, run by ONNX Runtime as an application runs them, against the recorded logits.
    @param runs what `record` returned
    @param assemble feature rows of the encoder's features and the processor's outputs, where they are not simply the features
    @param rename names of the encoder's inputs where they differ from the processor's
    @param suffixes of the graphs' files
    @param tolerance of logits
    """
    folder = ROOT / name / "onnx"
    vision, embed, decoder = (
        InferenceSession(folder / f"{graph}{suffixes.get(graph, '')}.onnx", providers=["CPUExecutionProvider"])
        for graph in ("vision_encoder", "embed_tokens", "decoder_model_merged")
    )
    for case, inputs in runs:
        given = {rename.get(key, key): value.numpy() for key, value in inputs.items()}
        features, *_ = vision.run(None, {node.name: given[node.name] for node in vision.get_inputs()})
        if assemble is not None:
            features = assemble(torch.from_numpy(features), inputs).numpy()
        answer = case["answer_ids"]
        ids = np.array([case["input_ids"] + answer[:-1]])
        (embeddings,) = embed.run(None, {"input_ids": np.where(ids == image_token, 0, ids)})
        embeddings[ids == image_token] = features.reshape(-1, features.shape[-1])
        prompt, length = len(case["input_ids"]), ids.shape[1]
        positions = np.arange(first_position, first_position + length)[None]
        if "position_ids" in case:
            known = np.array(case["position_ids"])
            later = known.max() + 1 + np.arange(len(answer) - 1)
            positions = np.concatenate([known, np.broadcast_to(later, (*known.shape[:2], later.size))], -1)
        config = json.loads((ROOT / name / "config.json").read_text())
        text = config.get("text_config", config)
        head_size = text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"]
        past = {
            node.name: np.zeros((1, node.shape[1], 0, head_size), np.float32)
            for node in decoder.get_inputs() if node.name.startswith("past_key_values.")
        }
        wanted = {node.name for node in decoder.get_inputs()}
        names = [node.name for node in decoder.get_outputs()]
        logits = []
        # The prompt at once, then token by token.
        for start, end in [(0, prompt), *((at, at + 1) for at in range(prompt, length))]:
            feeds = {
                "inputs_embeds": embeddings[:, start:end], "attention_mask": np.ones((1, end), np.int64),
                "position_ids": positions[..., start:end], "token_type_ids": (ids == image_token).astype(np.int64)[:, start:end], **past,
            }
            results = dict(zip(names, decoder.run(None, {key: value for key, value in feeds.items() if key in wanted})))
            logits.append(results["logits"][0, -1])
            past = {name: results[name.replace("past_key_values", "present")] for name in past}
        logits = np.stack(logits)
        expected = np.frombuffer(base64.b64decode(case["logits"]["values"]), "<f4").reshape(case["logits"]["dims"])
        error = np.abs(logits - expected).max()
        print(f"{name} {case['picture']}: ONNX Runtime's logits are off by {error:.2g}")
        assert error < tolerance, "the traced graphs are not the model"
    size = sum(file.stat().st_size for file in (ROOT / name).rglob("*") if file.is_file())
    print(f"{name}: {size / 1e6:.2f} MB")
    assert size < 2e6, "a family's files are at most 2 MB"
