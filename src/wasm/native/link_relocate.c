/* Relocations: what position-independent code of the small model needs (System V psABI AMD64 §4.4, ELF for the Arm
 * 64-bit Architecture §5.7). All are relative to the place, so the image is right wherever it is mapped; an absolute
 * one is refused. */
#include <inttypes.h>
#include <string.h>

#include "wasm/native/link.h"

enum {
    R_X86_64_NONE = 0,
    R_X86_64_PC32 = 2,
    R_X86_64_PLT32 = 4,
    R_X86_64_PC64 = 24,
    R_AARCH64_NONE = 0,
    R_AARCH64_PREL64 = 260,
    R_AARCH64_PREL32 = 261,
    R_AARCH64_LD_PREL_LO19 = 273,
    R_AARCH64_ADR_PREL_LO21 = 274,
    R_AARCH64_ADR_PREL_PG_HI21 = 275,
    R_AARCH64_ADD_ABS_LO12_NC = 277,
    R_AARCH64_LDST8_ABS_LO12_NC = 278,
    R_AARCH64_TSTBR14 = 279,
    R_AARCH64_CONDBR19 = 280,
    R_AARCH64_JUMP26 = 282,
    R_AARCH64_CALL26 = 283,
    R_AARCH64_LDST16_ABS_LO12_NC = 284,
    R_AARCH64_LDST32_ABS_LO12_NC = 285,
    R_AARCH64_LDST64_ABS_LO12_NC = 286,
    R_AARCH64_LDST128_ABS_LO12_NC = 299,
};
enum { RELA_SIZE = 24 };

typedef struct place {
    uint8_t *at;     /* in the image being made */
    uint64_t left;   /* bytes of the section from there on */
    uint64_t offset; /* in the image */
} place;

static bool fits(int64_t v, unsigned bits)
{
    int64_t limit = (int64_t)1 << (bits - 1);
    return v >= -limit && v < limit;
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

typedef enum { DONE, UNKNOWN, OUTSIDE, FAR } outcome;

static outcome relocate_x86(uint32_t type, const place *p, int64_t target)
{
    int64_t relative = target - (int64_t)p->offset;
    switch (type) {
    case R_X86_64_NONE:
        return DONE;
    case R_X86_64_PC32:
    case R_X86_64_PLT32: /* there is no PLT: the callee is in the image */
        if (p->left < 4) return OUTSIDE;
        if (!fits(relative, 32)) return FAR;
        store32(p->at, (uint32_t)relative);
        return DONE;
    case R_X86_64_PC64:
        if (p->left < 8) return OUTSIDE;
        store32(p->at, (uint32_t)relative);
        store32(p->at + 4, (uint32_t)((uint64_t)relative >> 32));
        return DONE;
    default:
        return UNKNOWN;
    }
}

/* A signed field of `bits` bits at `shift` of the instruction, counting units of 4 bytes (or 1, or a page). */
static outcome put_field(const place *p, int64_t value, unsigned scale, unsigned bits, unsigned shift)
{
    if (value & (((int64_t)1 << scale) - 1)) return UNKNOWN;
    if (!fits(value, bits + scale)) return FAR;
    uint32_t mask = ((1u << bits) - 1) << shift, insn = load32(p->at);
    store32(p->at, (insn & ~mask) | (((uint32_t)(value >> scale) << shift) & mask));
    return DONE;
}

/* ADR and ADRP: the two low bits lie apart. */
static outcome put_adr(const place *p, int64_t value)
{
    if (!fits(value, 21)) return FAR;
    uint32_t v = (uint32_t)value, insn = load32(p->at) & ~(3u << 29 | 0x7ffffu << 5);
    store32(p->at, insn | (v & 3) << 29 | ((v >> 2) & 0x7ffff) << 5);
    return DONE;
}

/* The low 12 bits of the target, in units of the access's size. */
static outcome put_low12(const place *p, int64_t target, unsigned scale)
{
    uint32_t low = (uint32_t)target & 0xfff;
    if (low & ((1u << scale) - 1)) return UNKNOWN;
    store32(p->at, (load32(p->at) & ~(0xfffu << 10)) | (low >> scale) << 10);
    return DONE;
}

static outcome relocate_aarch64(uint32_t type, const place *p, int64_t target)
{
    int64_t relative = target - (int64_t)p->offset;
    if (type == R_AARCH64_NONE) return DONE;
    if (p->left < (type == R_AARCH64_PREL64 ? 8 : 4)) return OUTSIDE;
    switch (type) {
    case R_AARCH64_PREL64:
        store32(p->at, (uint32_t)relative);
        store32(p->at + 4, (uint32_t)((uint64_t)relative >> 32));
        return DONE;
    case R_AARCH64_PREL32:
        if (!fits(relative, 32)) return FAR;
        store32(p->at, (uint32_t)relative);
        return DONE;
    case R_AARCH64_CALL26:
    case R_AARCH64_JUMP26:
        return put_field(p, relative, 2, 26, 0);
    case R_AARCH64_CONDBR19:
    case R_AARCH64_LD_PREL_LO19:
        return put_field(p, relative, 2, 19, 5);
    case R_AARCH64_TSTBR14:
        return put_field(p, relative, 2, 14, 5);
    case R_AARCH64_ADR_PREL_LO21:
        return put_adr(p, relative);
    case R_AARCH64_ADR_PREL_PG_HI21:
        return put_adr(p, (target >> 12) - (int64_t)(p->offset >> 12));
    case R_AARCH64_ADD_ABS_LO12_NC:
    case R_AARCH64_LDST8_ABS_LO12_NC:
        return put_low12(p, target, 0);
    case R_AARCH64_LDST16_ABS_LO12_NC:
        return put_low12(p, target, 1);
    case R_AARCH64_LDST32_ABS_LO12_NC:
        return put_low12(p, target, 2);
    case R_AARCH64_LDST64_ABS_LO12_NC:
        return put_low12(p, target, 3);
    case R_AARCH64_LDST128_ABS_LO12_NC:
        return put_low12(p, target, 4);
    default:
        return UNKNOWN;
    }
}

static wisp_status undefined(const link_symbol *y, wisp_report *report)
{
    return base_fail(report, WISP_E_UNSUPPORTED, "native code: '%.*s' is used and defined nowhere",
                     (int)(y->name.size < 100 ? y->name.size : 100), (const char *)y->name.data);
}

/* The symbol's offset in the image. */
static wisp_status resolve(const link_object *o, const link_symbol *y, const link_places *places, int64_t *out,
                           wisp_report *report)
{
    uint32_t index;
    if (y->section != LINK_UNDEFINED) {
        const link_section *s = &o->sections[y->section];
        if (s->kind == LINK_DROPPED) return undefined(y, report);
        *out = (int64_t)(s->at + y->value);
        return WISP_OK;
    }
    *out = 0;
    if (link_symbol_index(y->name, 'f', &index) && index - places->first_func < places->func_count)
        *out = (int64_t)places->funcs[index - places->first_func];
    else if (link_symbol_index(y->name, 'e', &index) && index < places->type_count)
        *out = (int64_t)places->entries[index];
    return *out ? WISP_OK : undefined(y, report);
}

static wisp_status relocate_one(const link_object *o, const link_section *s, base_reader *r, uint32_t machine,
                                const link_places *places, uint8_t *image, wisp_report *report)
{
    uint64_t offset = base_read_u64(r), info = base_read_u64(r);
    int64_t addend = (int64_t)base_read_u64(r), target = 0;
    uint32_t type = (uint32_t)info, symbol = (uint32_t)(info >> 32);
    if (offset > s->bytes.size || symbol >= o->symbol_count || !fits(addend, 40))
        return base_fail(report, WISP_E_INPUT, "native code: object %u: a relocation is out of range",
                         (unsigned)o->number);
    place p = {image + s->at + offset, s->bytes.size - offset, s->at + offset};
    BASE_TRY(resolve(o, &o->symbols[symbol], places, &target, report));
    target += addend;
    switch (machine == LINK_MACHINE_X86_64 ? relocate_x86(type, &p, target) : relocate_aarch64(type, &p, target)) {
    case DONE:
        return WISP_OK;
    case OUTSIDE:
        return base_fail(report, WISP_E_INPUT, "native code: object %u: a relocation past its section's end",
                         (unsigned)o->number);
    case FAR:
        return base_fail(report, WISP_E_LIMIT, "native code: too large: a reference of type %u spans %" PRId64 " bytes",
                         (unsigned)type, target - (int64_t)p.offset);
    case UNKNOWN:
        break;
    }
    return base_fail(report, WISP_E_UNSUPPORTED, "native code: object %u: relocation of type %u to '%.*s'",
                     (unsigned)o->number, (unsigned)type,
                     (int)(o->symbols[symbol].name.size < 100 ? o->symbols[symbol].name.size : 100),
                     (const char *)o->symbols[symbol].name.data);
}

wisp_status link_relocate(const link_object *o, const link_section *rela, uint32_t machine, const link_places *places,
                          uint8_t *image, wisp_report *report)
{
    if (rela->info >= o->section_count || rela->bytes.size % RELA_SIZE)
        return base_fail(report, WISP_E_INPUT, "native code: object %u: malformed relocations", (unsigned)o->number);
    const link_section *s = &o->sections[rela->info];
    if (s->kind == LINK_DROPPED) return WISP_OK;
    base_reader r = base_reader_of(rela->bytes.data, rela->bytes.size);
    while (base_left(&r))
        BASE_TRY(relocate_one(o, s, &r, machine, places, image, report));
    return WISP_OK;
}
