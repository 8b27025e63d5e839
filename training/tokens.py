"""The tokenizer (byte-level BPE in which every word of the world is one token) and the prompt."""

import json
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .questions import vocabulary

FOLDER = Path(__file__).parent.parent / "models" / "pocket"
PAD, BOS, EOS, UNK, IMAGE = range(5)
SPECIALS = ["<pad>", "<bos>", "<eos>", "<unk>", "<image>"]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'USER: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>\\n' }}{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% elif message['role'] == 'assistant' %}{{ ' ASSISTANT: ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{{ eos_token }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)


def build() -> Tokenizer:
    """Train the merges on the world's words, each as often as any other, until each is one token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    words = vocabulary()
    trainer = trainers.BpeTrainer(
        vocab_size=8000, min_frequency=1, show_progress=False, special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(words, trainer)
    split = [w for w in words if len(tokenizer.encode(w).ids) != 1]
    assert not split, split
    return tokenizer


def write_config(folder: Path) -> None:
    """Write tokenizer_config.json, with the chat template."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {
            str(i): {"content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
            for i, s in enumerate(SPECIALS)
        },
        "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
        "image_token": "<image>", "add_bos_token": False, "add_eos_token": False,
        "clean_up_tokenization_spaces": False, "model_max_length": 512, "padding_side": "left",
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


@cache
def load() -> Tokenizer:
    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@cache
def ids(text: str) -> tuple[int, ...]:
    """Token ids of a piece of prompt, without specials of its own."""
    return tuple(load().encode(text, add_special_tokens=False).ids)


def prefix() -> list[int]:
    """What stands before the image tokens: `<bos>USER: `."""
    return list(ids("<bos>USER: "))


def question_ids(question: str) -> list[int]:
    return list(ids(f"\n{question} ASSISTANT:"))


def answer_ids(answer: str) -> list[int]:
    return [*ids(" " + answer), EOS]


def prompt(question: str, count: int = 144) -> list[int]:
    """The whole prompt, with `count` image tokens."""
    whole = list(ids(f"<bos>USER: <image>\n{question} ASSISTANT:"))
    at = whole.index(IMAGE)
    return whole[:at] + [IMAGE] * count + whole[at + 1 :]


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    build().save(str(FOLDER / "tokenizer.json"))
    write_config(FOLDER)
