"""A SentencePiece-style BPE vocabulary: training it, and encoding as GGUF's "llama" tokenizer does."""

import heapq
import re
from collections import Counter
from functools import lru_cache

SPACE = "\u2581"
UNKNOWN, BOS, EOS = 0, 1, 2
NORMAL, UNKNOWN_TYPE, CONTROL, BYTE = 1, 2, 3, 6  # token types as GGUF numbers them

# No piece reaches over one of these, so a text may be encoded chunk by chunk. Digits stay single.
CHUNK = re.compile(f"'[a-z]+|{SPACE}?[A-Za-z]+|{SPACE}?[0-9]|{SPACE}?[^A-Za-z0-9{SPACE}\n]+|{SPACE}|\n")


def chunks(text):
    return CHUNK.findall((" " + text).replace(" ", SPACE))


def train(texts, size):
    """Merges the most frequent pair until the vocabulary is full; ties go to the smaller pair."""
    counts = Counter()
    for text in texts:
        counts.update(chunks(text))
    words = [(list(word), count) for word, count in sorted(counts.items()) if word != "\n"]
    alphabet = [SPACE] + [chr(c) for c in range(33, 127)]
    merges = []
    while len(merges) < size - 3 - 256 - len(alphabet):
        pairs = Counter()
        for parts, count in words:
            for pair in zip(parts, parts[1:]):
                pairs[pair] += count
        (left, right), count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if left + right not in merges:
            merges.append(left + right)
        for parts, _ in words:
            _merge(parts, left, right)
    return Vocabulary(*_tables(merges, alphabet))


def _merge(parts, left, right):
    i = 0
    while i < len(parts) - 1:
        if parts[i] == left and parts[i + 1] == right:
            parts[i:i + 2] = [left + right]
        i += 1


def _tables(merges, alphabet):
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + merges + alphabet
    types = [UNKNOWN_TYPE, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (len(merges) + len(alphabet))
    scores = [0.0] * 259 + [-float(rank) for rank in range(len(merges) + len(alphabet))]
    return pieces, scores, types


class Vocabulary:
    def __init__(self, pieces, scores, types):
        self.pieces, self.scores, self.types = pieces, scores, types
        self.ids = {p: i for i, p in enumerate(pieces) if types[i] == NORMAL}
        self.encode_chunk = lru_cache(maxsize=1 << 16)(self.encode_whole)

    def encode(self, text):
        return [token for chunk in chunks(text) for token in self.encode_chunk(chunk)]

    def encode_whole(self, text):
        """Merges the best-scoring neighbours first, the left ones in a tie; what is no piece becomes bytes."""
        parts = list(text)
        after = list(range(1, len(parts) + 1))
        before = list(range(-1, len(parts) - 1))
        queue = []

        def offer(left, right):
            if left >= 0 and right < len(parts) and (token := self.ids.get(parts[left] + parts[right])):
                heapq.heappush(queue, (-self.scores[token], left, right, parts[left] + parts[right]))

        for i in range(len(parts) - 1):
            offer(i, i + 1)
        while queue:
            _, left, right, piece = heapq.heappop(queue)
            if parts[left] is None or parts[right] is None or parts[left] + parts[right] != piece:
                continue  # one side has since been merged into another piece
            parts[left], parts[right] = piece, None
            after[left] = after[right]
            if after[left] < len(parts):
                before[after[left]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [token for part in parts if part is not None for token in self._tokens(part)]

    def _tokens(self, part):
        if part in self.ids:
            return [self.ids[part]]
        return [3 + byte for byte in part.encode()]

    def decode(self, tokens):
        """The text of tokens, without the space that encoding puts first."""
        out = b""
        for token in tokens:
            if self.types[token] == BYTE:
                out += bytes([token - 3])
            elif self.types[token] == NORMAL:
                out += self.pieces[token].replace(SPACE, " ").encode()
        return out.decode(errors="replace").removeprefix(" ")
