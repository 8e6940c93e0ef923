"""GGUF version 3: as much of it as a small Llama model needs, reader and writer side by side."""

import struct

import numpy as np

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
F32, Q8_0 = 0, 8
U32, I32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}
BLOCK = 32


def quantize(matrix):
    """Q8_0: blocks of 32 along a row, an F16 scale and 32 signed bytes each."""
    blocks = np.ascontiguousarray(matrix, np.float32).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    values = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)
    return np.concatenate([scale.astype("<f2").view(np.uint8), values.view(np.uint8)], axis=1).tobytes()


def dequantize(data, shape):
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK + 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    return (blocks[:, 2:].view(np.int8).astype(np.float32) * scale).reshape(shape)


def _string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind, value):
    if isinstance(kind, tuple):  # (ARRAY, element type)
        return struct.pack("<IQ", kind[1], len(value)) + b"".join(_value(kind[1], v) for v in value)
    return _string(value) if kind == STRING else struct.pack(FORMATS[kind], value)


def _padded(size):
    return -size % ALIGNMENT


def write(path, metadata, tensors):
    """metadata: name to (type, value). tensors: name to array; matrices become Q8_0, vectors stay F32."""
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(metadata))
    for name, (kind, value) in metadata.items():
        number = kind[0] if isinstance(kind, tuple) else kind
        head += _string(name) + struct.pack("<I", number) + _value(kind, value)
    offset, body = 0, []
    for name, array in tensors.items():
        kind, data = (Q8_0, quantize(array)) if array.ndim == 2 else (F32, array.astype("<f4").tobytes())
        # GGUF names the row length first.
        head += _string(name) + struct.pack(f"<I{array.ndim}QIQ", array.ndim, *array.shape[::-1], kind, offset)
        body.append(data + b"\0" * _padded(len(data)))
        offset += len(body[-1])
    with open(path, "wb") as file:
        file.write(head + b"\0" * _padded(len(head)) + b"".join(body))


class _Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values if len(values) > 1 else values[0]

    def string(self):
        size = self.take("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == ARRAY:
            element, count = self.take("<IQ")
            return [self.value(element) for _ in range(count)]
        return self.string() if kind == STRING else self.take(FORMATS[kind])


def read(path):
    """The metadata, and every tensor as an F32 array."""
    with open(path, "rb") as file:
        cursor = _Cursor(file.read())
    magic, version, tensor_count, metadata_count = cursor.take("<4sIQQ")
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"{path}: not a GGUF version {VERSION} file")
    metadata = {}
    for _ in range(metadata_count):
        name = cursor.string()
        metadata[name] = cursor.value(cursor.take("<I"))
    entries = []
    for _ in range(tensor_count):
        name, rank = cursor.string(), cursor.take("<I")
        shape = [cursor.take("<Q") for _ in range(rank)]
        entries.append((name, tuple(reversed(shape)), *cursor.take("<IQ")))
    start = cursor.at + _padded(cursor.at)
    tensors = {name: _tensor(cursor.data, start + at, shape, kind) for name, shape, kind, at in entries}
    return metadata, tensors


def _tensor(data, at, shape, kind):
    count = int(np.prod(shape))
    if kind == Q8_0:
        return dequantize(data[at:at + count // BLOCK * (BLOCK + 2)], shape)
    return np.frombuffer(data, "<f4", count, at).reshape(shape)
