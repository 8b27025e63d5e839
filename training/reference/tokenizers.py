"""Small real tokenizers, trained on the spot, of the two kinds that the families have."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXT = """What is in the picture? Describe the image. What colour is the bright box? Where is the dark disc, left or right?
How many things are there? The box is yellow and it is above the disc. A dog runs along the beach, a cat sleeps on the chair.
Answer with one word: yes, no, red, green, blue, yellow, black, white, one, two, three. You are a helpful assistant.
user assistant system model turn User Assistant USER ASSISTANT end of utterance global image row col"""
# How Qwen2's tokenizer cuts text into words.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(specials: list[str], *, size: int = 400) -> Tokenizer:
    """Byte-level BPE as Qwen2's and SmolVLM's; the special tokens come after the vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials])
    return tokenizer


def pieces(first: list[str], later: list[str] = [], *, prefix: bool, size: int = 200) -> Tokenizer:
    """
    BPE over '▁' with byte fallback, as SentencePiece's models become in tokenizer.json. `first` special tokens come before the
    vocabulary, the unknown token must be among them as '<unk>'; `later` ones after it. With `prefix` a space is put before a text, as
    Llama's tokenizer does and Gemma's does not.
    """
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    # Merges within words only, although the tokenizer that is made of them does not cut into words.
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    letters = sorted({*TEXT.replace("\n", " ").replace(" ", "▁"), "\n", "\t"})
    trainer = trainers.BpeTrainer(vocab_size=len(letters) + size, show_progress=False, initial_alphabet=letters)
    trained.train_from_iterator(TEXT.splitlines(), trainer)
    model = json.loads(trained.to_str())["model"]
    ordered = [*first, *(f"<0x{byte:02X}>" for byte in range(256)), *sorted(model["vocab"], key=model["vocab"].get)]
    vocabulary = {token: number for number, token in enumerate(ordered)}
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace]) if prefix else replace
    strip = [decoders.Strip(" ", 1, 0)] if prefix else []
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in [*first, *later]])
    return tokenizer


def save(folder: Path, tokenizer: Tokenizer, chat_template: str | None, extra: dict[str, str] = {}, **config) -> PreTrainedTokenizerFast:
    """
    Write tokenizer.json and tokenizer_config.json, and give the tokenizer as transformers sees it.
    @param extra special tokens that a processor asks for by name, for instance image_token
    @param config more of tokenizer_config.json, for instance bos_token
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    added = {
        str(number): {
            "content": token.content, "lstrip": token.lstrip, "normalized": token.normalized,
            "rstrip": token.rstrip, "single_word": token.single_word, "special": token.special,
        }
        for number, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": added,
        "clean_up_tokenization_spaces": False, "model_max_length": 2048, "chat_template": chat_template, **extra, **config,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    known = {key: value for key, value in config.items() if key.endswith("_token")}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=chat_template, clean_up_tokenization_spaces=False, extra_special_tokens=extra, **known,
    )
