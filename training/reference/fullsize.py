"""
A model of published size and random weights, for timing: `make FOLDER` writes it in the Hub's layout, `time FOLDER` times it in PyTorch.

    python -m training.reference.fullsize make /tmp/smolvlm-256m
    python -m training.reference.fullsize time request.json

request.json: {"folder": of the model, "mask": side of the mask, "threads": n, "runs": n, "question": "…", "answer_ids": [...]}. The weights are drawn from a
seed, so both commands have the same. Prints JSON: seconds and MB.
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from transformers import AutoTokenizer, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from . import layout, record, smolvlm, tokenizers

SEED = 1
SIDE, PATCH, SHUFFLE = 512, 16, 4
TOKENS = (SIDE // PATCH // SHUFFLE) ** 2
VOCABULARY = 49280


def config(special: dict[str, int]) -> dict:
    """SmolVLM-256M-Instruct's: SmolLM2-135M on SigLIP-B/16 at 512 px."""
    end = special["<end_of_utterance>"]
    return {
        "architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "image_token_id": special["<image>"],
        "scale_factor": SHUFFLE, "tie_word_embeddings": False, "use_cache": True, "vocab_size": VOCABULARY, "pad_token_id": 0,
        "eos_token_id": end,
        "text_config": {
            "architectures": ["VLlama3ForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
            "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64,
            "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000, "vocab_size": VOCABULARY,
            "bos_token_id": special["<|im_start|>"], "eos_token_id": end, "pad_token_id": 0, "tie_word_embeddings": False,
        },
        "vision_config": {
            "model_type": "idefics3", "hidden_size": 768, "intermediate_size": 3072, "image_size": SIDE, "num_attention_heads": 12,
            "num_hidden_layers": 12, "patch_size": PATCH, "hidden_act": "gelu_pytorch_tanh",
        },
    }


def build(written: dict, attention: str) -> Idefics3ForConditionalGeneration:
    model = Idefics3ForConditionalGeneration._from_config(Idefics3Config(**written), attn_implementation=attention)
    layout.randomise(model, SEED, gain=1.0)
    return model


def make(folder: Path) -> None:
    known = tokenizers.save(
        folder, tokenizers.byte_level(smolvlm.SPECIALS), smolvlm.CHAT_TEMPLATE, bos_token="<|im_start|>",
        eos_token="<end_of_utterance>", pad_token="<|im_end|>", unk_token="<|endoftext|>",
    )
    written = config({token: known.convert_tokens_to_ids(token) for token in smolvlm.SPECIALS})
    layout.write_json(folder, "config.json", written)
    # One view: what is timed is one encoder run and one decoder run.
    layout.write_json(folder, "preprocessor_config.json", {
        **smolvlm.PREPROCESSOR, "do_image_splitting": False, "max_image_size": {"longest_edge": SIDE}, "size": {"longest_edge": SIDE},
    })
    layout.write_json(folder, "processor_config.json", {"image_seq_len": TOKENS, "processor_class": "Idefics3Processor"})
    # No end token: sixteen tokens are asked for and sixteen come.
    layout.write_json(folder, "generation_config.json", {"eos_token_id": []})
    model = build(written, "eager")
    layout.trace_embedding(folder, model.model.text_model.embed_tokens)
    layout.trace_decoder(folder, layout.Decoder(model.model.text_model, model.lm_head), model.config.text_config)
    smolvlm.trace_encoder(folder, model)


def score(model, pixels: torch.Tensor, ids: torch.Tensor, answer: int) -> torch.Tensor:
    """Sum of log p of the last `answer` tokens; logits at their positions only."""
    logits = model(
        input_ids=ids[:, :-1], attention_mask=torch.ones_like(ids[:, :-1]), pixel_values=pixels, use_cache=False, logits_to_keep=answer,
    ).logits
    return logits.log_softmax(-1).gather(2, ids[:, -answer:, None]).sum()


def seconds(run, count: int) -> float:
    run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(request: Path) -> None:
    given = json.loads(request.read_text())
    torch.set_num_threads(given["threads"])
    model = build(json.loads((Path(given["folder"]) / "config.json").read_text()), "sdpa")
    folder = Path(given["folder"])
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(**json.loads((folder / "preprocessor_config.json").read_text())),
        AutoTokenizer.from_pretrained(folder), image_seq_len=TOKENS, chat_template=smolvlm.CHAT_TEMPLATE,
    )
    text = processor.tokenizer.apply_chat_template(record.messages(given["question"]), tokenize=False, add_generation_prompt=True)
    picture = Image.fromarray(np.random.default_rng(SEED).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    inputs = processor(images=[picture], text=[text], return_tensors="pt")
    prompt, image = inputs["input_ids"], inputs["pixel_values"]
    baseline = torch.full_like(image, -1)
    answer = len(given["answer_ids"])
    ids = torch.cat([prompt, torch.tensor([given["answer_ids"]])], 1)
    start = time.perf_counter()
    with torch.no_grad():
        model.generate(
            input_ids=prompt, attention_mask=torch.ones_like(prompt), pixel_values=image, max_new_tokens=answer, min_new_tokens=answer,
            do_sample=False,
        )
    answered = time.perf_counter() - start

    def blended(mask: torch.Tensor) -> torch.Tensor:
        whole = functional.interpolate(mask[None, None], (SIDE, SIDE), mode="bilinear")[:, :, None]
        return baseline + whole * (image - baseline)

    mask = torch.rand(given["mask"], given["mask"])

    def forward() -> None:
        with torch.no_grad():
            score(model, blended(mask), ids, answer)

    def gradient() -> None:
        x = mask.clone().requires_grad_()
        score(model, blended(x), ids, answer).backward()

    result = {"answerSeconds": answered, "forwardSeconds": seconds(forward, given["runs"]), "gradientSeconds": seconds(gradient, given["runs"])}
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if torch.sys.platform != "darwin" else 1024**2)
    print(json.dumps({**result, "peakMB": peak, "tokens": ids.shape[1], "torch": torch.__version__}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["make", "time"])
    parser.add_argument("path", type=Path)
    o = parser.parse_args()
    make(o.path) if o.command == "make" else measure(o.path)
