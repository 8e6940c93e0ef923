#include "compile/spm_model.h"

#include <string.h>

#include "base/mem.h"

enum { PIECE = 1, TRAINER = 2, NORMALIZER = 3, UNIGRAM = 1, BPE = 2 };
enum { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

/* One field of a message. */
typedef struct field {
    uint32_t number, wire;
    uint64_t value;  /* of varints and fixed numbers */
    base_span bytes; /* of WIRE_BYTES */
} field;

static bool next_field(base_reader *r, field *f)
{
    const uint64_t tag = base_read_leb_u64(r);
    *f = (field){.number = (uint32_t)(tag >> 3 & 0x1fffffff), .wire = tag & 7};
    if (f->wire == WIRE_VARINT)
        f->value = base_read_leb_u64(r);
    else if (f->wire == WIRE_64)
        f->value = base_read_u64(r);
    else if (f->wire == WIRE_32)
        f->value = base_read_u32(r);
    else if (f->wire == WIRE_BYTES)
        f->bytes = base_read_span(r, base_read_leb_u64(r));
    else
        return false;
    return !r->failed && f->number != 0;
}

static wisp_status bad(wisp_report *report, const char *what)
{
    return base_fail(report, WISP_E_INPUT, "tokenizer.model: %s (a SentencePiece model is expected)", what);
}

static wisp_status read_piece(spm_model *m, uint32_t id, base_span message, wisp_report *report)
{
    base_reader r = base_reader_of(message.data, message.size);
    field f;
    m->types[id] = VOCAB_NORMAL;
    while (base_left(&r)) {
        if (!next_field(&r, &f)) return bad(report, "a damaged piece");
        if (f.number == 1 && f.wire == WIRE_BYTES) m->tokens[id] = f.bytes;
        if (f.number == 2 && f.wire == WIRE_32) {
            const uint32_t bits = (uint32_t)f.value;
            memcpy(&m->scores[id], &bits, sizeof bits);
        }
        if (f.number == 3 && f.wire == WIRE_VARINT) { /* numbered as GGUF does */
            if (f.value < VOCAB_NORMAL || f.value > VOCAB_BYTE) return bad(report, "a piece of an unknown type");
            m->types[id] = (int32_t)f.value;
        }
    }
    return m->tokens[id].data ? WISP_OK : bad(report, "a piece without text");
}

static wisp_status read_trainer(spm_model *m, base_span message, wisp_report *report)
{
    base_reader r = base_reader_of(message.data, message.size);
    base_vocab_source *s = &m->source;
    uint64_t kind = UNIGRAM;
    field f;
    while (base_left(&r)) {
        if (!next_field(&r, &f)) return bad(report, "damaged training parameters");
        const int64_t id = f.value < VOCAB_TOKENS_MAX ? (int64_t)f.value : -1; /* negative: there is none */
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == 3) kind = f.value;
        if (f.number == 24) s->space_as_suffix = f.value != 0;
        if (f.number == 35) s->byte_fallback = f.value != 0;
        if (f.number == 40) s->unk = id;
        if (f.number == 41) s->bos = id;
        if (f.number == 42) s->eos = id;
    }
    if (kind != UNIGRAM && kind != BPE)
        return base_fail(report, WISP_E_UNSUPPORTED, "tokenizer.model: neither BPE nor Unigram");
    s->kind = kind == BPE ? VOCAB_SPM : VOCAB_UNIGRAM;
    return WISP_OK;
}

static wisp_status read_normalizer(spm_model *m, base_span message, wisp_report *report)
{
    base_reader r = base_reader_of(message.data, message.size);
    base_vocab_source *s = &m->source;
    field f;
    while (base_left(&r)) {
        if (!next_field(&r, &f)) return bad(report, "a damaged normalizer");
        if (f.number == 2 && f.wire == WIRE_BYTES) s->charsmap = f.bytes;
        if (f.number == 3 && f.wire == WIRE_VARINT) s->add_space_prefix = f.value != 0;
        if (f.number == 4 && f.wire == WIRE_VARINT) s->remove_extra_whitespaces = f.value != 0;
    }
    return WISP_OK;
}

static wisp_status count_pieces(spm_model *m, base_span file, uint32_t rows, wisp_report *report)
{
    base_reader r = base_reader_of(file.data, file.size);
    uint32_t count = 0;
    field f;
    while (base_left(&r)) {
        if (!next_field(&r, &f)) return bad(report, "damaged");
        count += f.number == PIECE && f.wire == WIRE_BYTES;
    }
    if (count == 0) return bad(report, "no pieces");
    if (rows) count = rows;
    if (count > VOCAB_TOKENS_MAX) return base_fail(report, WISP_E_LIMIT, "tokenizer.model: too many pieces");
    m->source.count = count;
    m->tokens = base_calloc(count, sizeof *m->tokens);
    m->scores = base_calloc(count, sizeof *m->scores);
    m->types = base_calloc(count, sizeof *m->types);
    if (!m->tokens || !m->scores || !m->types) return base_fail(report, WISP_E_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        m->types[i] = VOCAB_UNUSED;
    return WISP_OK;
}

static wisp_status read_all(spm_model *m, base_span file, uint32_t rows, wisp_report *report)
{
    base_reader r;
    uint32_t id = 0;
    field f;
    BASE_TRY(count_pieces(m, file, rows, report));
    r = base_reader_of(file.data, file.size);
    while (base_left(&r)) {
        if (!next_field(&r, &f)) return bad(report, "damaged");
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == PIECE && id < m->source.count) BASE_TRY(read_piece(m, id++, f.bytes, report));
        if (f.number == TRAINER) BASE_TRY(read_trainer(m, f.bytes, report));
        if (f.number == NORMALIZER) BASE_TRY(read_normalizer(m, f.bytes, report));
    }
    base_vocab_source *s = &m->source;
    int64_t *const ids[] = {&s->unk, &s->bos, &s->eos};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (*ids[i] >= (int64_t)s->count) *ids[i] = -1;
    s->tokens = m->tokens;
    s->scores = m->scores;
    s->types = m->types;
    return WISP_OK;
}

wisp_status spm_model_read(spm_model *m, base_span file, uint32_t rows, wisp_report *report)
{
    *m = (spm_model){.source = {.kind = VOCAB_UNIGRAM,
                                .unk = 0,
                                .bos = 1,
                                .eos = 2,
                                .eot = -1,
                                .add_bos = -1,
                                .add_eos = -1,
                                .add_space_prefix = 1,
                                .remove_extra_whitespaces = -1,
                                .ignore_merges = -1,
                                .byte_fallback = -1,
                                .space_as_suffix = -1,
                                .fuse_unknown = -1}};
    wisp_status status = read_all(m, file, rows, report);
    if (status) spm_model_fini(m);
    return status;
}

void spm_model_fini(spm_model *m)
{
    base_free(m->tokens);
    base_free(m->scores);
    base_free(m->types);
    *m = (spm_model){0};
}
