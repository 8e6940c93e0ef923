/* An object: LLVM's context and module, the target, the passes, the bytes. */
#include "wasm/native/codegen.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/native/emit.h"

/* Frames up to PLAIN_FRAME need no check of their own: the reserve below the stack limit takes them. A function that
 * needs more than MOST_FRAME is refused. */
enum { PLAIN_FRAME = 16384, MOST_FRAME = 4 << 20 };

static pthread_once_t targets_once = PTHREAD_ONCE_INIT;

static void initialize_targets(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

static const struct target {
    const char *triple, *cpu, *features;
} targets[] = {
    [WASM_TARGET_X86_64_V2] = {"x86_64-unknown-linux-gnu", "x86-64-v2", ""},
    [WASM_TARGET_X86_64_V3] = {"x86_64-unknown-linux-gnu", "x86-64-v3", ""},
    [WASM_TARGET_X86_64_V4] = {"x86_64-unknown-linux-gnu", "x86-64-v4", ""},
    [WASM_TARGET_AARCH64] = {"aarch64-unknown-linux-gnu", "generic", "+neon"},
};

/* ---- the unit ---- */

static void init_types(native_unit *u)
{
    u->none = LLVMVoidTypeInContext(u->c);
    u->i1 = LLVMInt1TypeInContext(u->c);
    u->i8 = LLVMInt8TypeInContext(u->c);
    u->i16 = LLVMInt16TypeInContext(u->c);
    u->i32 = LLVMInt32TypeInContext(u->c);
    u->i64 = LLVMInt64TypeInContext(u->c);
    u->f32 = LLVMFloatTypeInContext(u->c);
    u->f64 = LLVMDoubleTypeInContext(u->c);
    u->ptr = LLVMPointerTypeInContext(u->c, 0);
    u->vec[I8X16] = LLVMVectorType(u->i8, 16);
    u->vec[I16X8] = LLVMVectorType(u->i16, 8);
    u->vec[I32X4] = LLVMVectorType(u->i32, 4);
    u->v128 = u->vec[I64X2] = LLVMVectorType(u->i64, 2);
    u->vec[F32X4] = LLVMVectorType(u->f32, 4);
    u->vec[F64X2] = LLVMVectorType(u->f64, 2);
}

static LLVMValueRef node(native_unit *u, LLVMMetadataRef *parts, size_t count)
{
    return LLVMMetadataAsValue(u->c, LLVMMDNodeInContext2(u->c, parts, count));
}

static void init_metadata(native_unit *u)
{
    static const char *const names[ALIASES] = {"linear", "context", "invariant", "table", "memory", "global", "slots"};
    u->tbaa_kind = LLVMGetMDKindIDInContext(u->c, "tbaa", 4);
    u->invariant_kind = LLVMGetMDKindIDInContext(u->c, "invariant.load", 14);
    u->prof_kind = LLVMGetMDKindIDInContext(u->c, "prof", 4);
    u->empty = node(u, NULL, 0);
    LLVMMetadataRef weights[] = {LLVMMDStringInContext2(u->c, "branch_weights", 14),
                                 LLVMValueAsMetadata(native_i32(u, 1)), LLVMValueAsMetadata(native_i32(u, 4000))};
    u->unlikely = node(u, weights, 3);
    LLVMMetadataRef text = LLVMMDStringInContext2(u->c, "wisp", 4), root = LLVMMDNodeInContext2(u->c, &text, 1);
    LLVMMetadataRef zero = LLVMValueAsMetadata(native_i64(u, 0));
    for (unsigned i = 0; i < ALIASES; i++) {
        LLVMMetadataRef type[] = {LLVMMDStringInContext2(u->c, names[i], strlen(names[i])), root, zero};
        LLVMMetadataRef kind = LLVMMDNodeInContext2(u->c, type, 3);
        LLVMMetadataRef access[] = {kind, kind, zero};
        u->alias_tags[i] = node(u, access, 3);
    }
}

static bool init_unit(native_unit *u)
{
    u->c = LLVMContextCreate();
    u->module = LLVMModuleCreateWithNameInContext("wasm", u->c);
    u->b = LLVMCreateBuilderInContext(u->c);
    u->tick = NULL;
    u->funcs = base_calloc(u->m->func_count, sizeof(LLVMValueRef));
    u->func_types = base_calloc(u->m->type_count, sizeof(LLVMTypeRef));
    if (!u->funcs || !u->func_types) return false;
    init_types(u);
    init_metadata(u);
    u->self = LLVMCreateEnumAttribute(u->c, LLVMGetEnumAttributeKindForName("swiftself", 9), 0);
    return true;
}

static void fini_unit(native_unit *u)
{
    base_free(u->funcs);
    base_free(u->func_types);
    LLVMDisposeBuilder(u->b);
    LLVMDisposeModule(u->module);
    LLVMContextDispose(u->c);
}

/* ---- attributes ---- */

static void add_attribute(native_unit *u, LLVMValueRef fn, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(u->c, kind, 0));
}

static void add_text_attribute(native_unit *u, LLVMValueRef fn, const char *name, const char *value)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(u->c, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

static void add_context_attribute(native_unit *u, LLVMValueRef fn, const char *name, uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, 1, LLVMCreateEnumAttribute(u->c, kind, value));
}

static void add_attributes(native_unit *u, LLVMValueRef fn)
{
    const struct target *t = &targets[u->options->target];
    char limit[16];
    snprintf(limit, sizeof limit, "%d", PLAIN_FRAME);
    add_attribute(u, fn, "nounwind");
    add_text_attribute(u, fn, "frame-pointer", "all");
    add_text_attribute(u, fn, "no-builtins", "");
    add_text_attribute(u, fn, "target-cpu", t->cpu);
    if (*t->features) add_text_attribute(u, fn, "target-features", t->features);
    add_text_attribute(u, fn, "warn-stack-size", limit);
    add_context_attribute(u, fn, "nonnull", 0);
    add_context_attribute(u, fn, "noundef", 0);
    add_context_attribute(u, fn, "align", 8);
    size_t objects = (size_t)u->m->memory_count + u->m->table_count + u->m->global_count;
    add_context_attribute(u, fn, "dereferenceable", sizeof(wasm_native_context) + objects * sizeof(void *));
}

/* ---- building ---- */

static wisp_status build_entries(native_unit *u)
{
    const wasm_module *m = u->m;
    uint8_t *used = base_calloc(m->type_count, 1);
    if (!used) return base_fail(u->report, WISP_E_MEMORY, "wasm: out of memory for native code");
    for (uint32_t i = m->imported_funcs; i < m->func_count; i++)
        used[m->funcs[i]] = 1;
    for (uint32_t i = 0; i < m->type_count; i++)
        if (used[i]) native_emit_entry(u, i);
    base_free(used);
    return WISP_OK;
}

static wisp_status build(native_unit *u, bool entries)
{
    const uint32_t first = u->m->imported_funcs + u->first;
    bool declared = true;
    for (uint32_t i = 0; i < u->count; i++) { /* in the order of their indices, which is theirs in the object */
        LLVMValueRef fn = native_declare(u, first + i);
        if (fn && u->frame_sizes[i]) native_declare_inner(u, first + i, fn); /* a trap in it is in this function */
        declared &= fn != NULL;
    }
    if (!declared) return base_fail(u->report, WISP_E_MEMORY, "wasm: out of memory for native code");
    for (uint32_t i = 0; i < u->count; i++)
        BASE_TRY(native_translate(u, first + i));
    if (entries) BASE_TRY(build_entries(u));
    for (LLVMValueRef fn = LLVMGetFirstFunction(u->module); fn; fn = LLVMGetNextFunction(fn))
        if (LLVMGetIntrinsicID(fn) == 0) add_attributes(u, fn);
    return WISP_OK;
}

static const char pipeline[] = "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
                               "loop-simplify,lcssa,loop-mssa(licm),gvn,simplifycfg,"
                               "instcombine<no-verify-fixpoint>,simplifycfg)";

static wisp_status llvm_failed(native_unit *u, const char *what, char *message)
{
    wisp_status status = base_fail(u->report, WISP_E_INTERNAL, "wasm: LLVM: %s: %s", what, message ? message : "");
    LLVMDisposeMessage(message);
    return status;
}

static wisp_status optimize(native_unit *u, LLVMTargetMachineRef machine)
{
    if (u->plain) return WISP_OK;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(u->module, pipeline, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return WISP_OK;
    char *message = LLVMGetErrorMessage(error);
    wisp_status status = base_fail(u->report, WISP_E_INTERNAL, "wasm: LLVM: passes: %s", message);
    LLVMDisposeErrorMessage(message);
    return status;
}

static wisp_status emit_object(native_unit *u, LLVMTargetMachineRef machine, uint8_t **bytes, size_t *size)
{
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    /* Wrong code given to LLVM's passes may do anything; refused, the interpreter serves. */
    if (LLVMVerifyModule(u->module, LLVMReturnStatusAction, &message)) return llvm_failed(u, "our code", message);
    LLVMDisposeMessage(message);
    message = NULL;
    BASE_TRY(optimize(u, machine));
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, u->module, LLVMObjectFile, &message, &buffer))
        return llvm_failed(u, "object", message);
    *size = LLVMGetBufferSize(buffer);
    *bytes = base_alloc(*size);
    if (*bytes) memcpy(*bytes, LLVMGetBufferStart(buffer), *size);
    LLVMDisposeMemoryBuffer(buffer);
    return *bytes ? WISP_OK : base_fail(u->report, WISP_E_MEMORY, "wasm: out of memory for native code");
}

static wisp_status make_machine(LLVMTargetMachineRef *out, native_unit *u)
{
    const struct target *t = &targets[u->options->target];
    LLVMTargetRef target;
    char *message = NULL;
    pthread_once(&targets_once, initialize_targets);
    if (LLVMGetTargetFromTriple(t->triple, &target, &message)) {
        wisp_status status = base_fail(u->report, WISP_E_UNSUPPORTED, "wasm: LLVM: %s", message);
        LLVMDisposeMessage(message);
        return status;
    }
    *out = LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features,
                                   u->plain ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                   LLVMCodeModelSmall);
    if (!*out) return base_fail(u->report, WISP_E_UNSUPPORTED, "wasm: LLVM has no %s", t->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(*out);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(u->module, t->triple);
    return WISP_OK;
}

/* Much of what LLVM does well takes time in the square of a function's size, or in its locals times its blocks. An
 * object with such a function is not optimized: native_compile.c gives each one of its own. */
bool wasm_codegen_is_large(const wasm_module *m, const wasm_code *code)
{
    enum { MOST_BYTES = 64 << 10, MOST_PRODUCT = 20000000, MOST_LOOPS = 200, MOST_OPERANDS = 1000 };
    const uint64_t size = (uint64_t)(code->end - code->start);
    if (size > MOST_BYTES || size * code->locals > MOST_PRODUCT || code->operands > MOST_OPERANDS) return true;
    uint32_t nest = 0, loops = 0;
    for (const uint8_t *pc = code->start; pc < code->end && size > MOST_LOOPS;) {
        wasm_instr i;
        wasm_instr_read_nocheck(&i, m, &pc);
        if (i.code == 0x03) loops++;
        if (i.code == 0x02 || i.code == 0x03 || i.code == 0x04 || i.code == 0x1f) nest++;
        if (loops > MOST_LOOPS && nest > MOST_LOOPS) return true;
        if (i.code == 0x0b && nest) nest--;
    }
    return false;
}

/* What the module uses decides for all of its functions how they are called. */
static void survey(native_unit *u)
{
    enum { C = 0, TAILCC = 18 };
    u->convention = C;
    u->exceptions = u->m->tag_count > 0;
    for (uint32_t i = 0; i < u->m->code_count; i++) {
        const uint8_t *pc = u->m->codes[i].start;
        while (pc < u->m->codes[i].end) {
            wasm_instr instr;
            wasm_instr_read_nocheck(&instr, u->m, &pc);
            if (instr.code == 0x12 || instr.code == 0x13 || instr.code == 0x15) u->convention = TAILCC;
            if (instr.code == 0x0a || instr.code == 0x1f) u->exceptions = true;
        }
    }
}

/* LLVM says which frames are larger than the attribute "warn-stack-size" allows, in words: "stack frame size (<n>)
 * exceeds limit (<n>) in function 'f<index>'". */
static void on_diagnostic(LLVMDiagnosticInfoRef info, void *context)
{
    native_unit *u = context;
    char *text = LLVMGetDiagInfoDescription(info);
    const char *size = strstr(text, "frame size ("), *name = strstr(text, "in function '");
    if (size && name) {
        const uint64_t bytes = strtoull(size + 12, NULL, 10);
        const uint32_t index = (uint32_t)strtoul(name + 14, NULL, 10) - u->m->imported_funcs - u->first;
        if (index < u->count && name[13] != 'e' && bytes > u->frame_sizes[index]) {
            u->frame_sizes[index] = bytes;
            u->resized = true;
        }
    }
    LLVMDisposeMessage(text);
}

static wisp_status check_frames(const native_unit *u)
{
    for (uint32_t i = 0; i < u->count; i++)
        if (u->frame_sizes[i] > MOST_FRAME)
            return base_fail(u->report, WISP_E_LIMIT, "wasm: native code of function %u: a frame of %llu bytes",
                             u->m->imported_funcs + u->first + i, (unsigned long long)u->frame_sizes[i]);
    return WISP_OK;
}

static wisp_status make_object(native_unit *u, uint8_t **bytes, size_t *size, bool entries)
{
    LLVMTargetMachineRef machine = NULL;
    u->resized = false;
    wisp_status status =
        init_unit(u) ? WISP_OK : base_fail(u->report, WISP_E_MEMORY, "wasm: out of memory for native code");
    LLVMContextSetDiagnosticHandler(u->c, on_diagnostic, u);
    if (status == WISP_OK) status = make_machine(&machine, u);
    if (status == WISP_OK) status = build(u, entries);
    if (status == WISP_OK) status = emit_object(u, machine, bytes, size);
    if (machine) LLVMDisposeTargetMachine(machine);
    fini_unit(u);
    return status == WISP_OK ? check_frames(u) : status;
}

wisp_status wasm_codegen_object(uint8_t **bytes, size_t *size, const wasm_module *module,
                                const wasm_codegen_options *options, uint32_t first, uint32_t count, bool entries,
                                wisp_report *report)
{
    enum { ROUNDS = 4 };
    native_unit u = {.m = module, .options = options, .report = report, .first = first, .count = count};
    wisp_status status = WISP_OK;
    u.x86 = options->target != WASM_TARGET_AARCH64;
    u.fuel = options->flags & WASM_NATIVE_FUEL;
    u.frame_sizes = base_calloc(count, sizeof *u.frame_sizes);
    if (!u.frame_sizes) return base_fail(report, WISP_E_MEMORY, "wasm: out of memory for native code");
    survey(&u);
    for (uint32_t i = 0; i < count && !u.plain; i++)
        u.plain = wasm_codegen_is_large(module, &module->codes[first + i]);
    u.resized = true;
    *bytes = NULL;
    for (unsigned round = 0; status == WISP_OK && u.resized; round++) {
        base_free(*bytes);
        *bytes = NULL;
        if (round == ROUNDS)
            status = base_fail(report, WISP_E_LIMIT, "wasm: native code: frames of no certain size");
        else
            status = make_object(&u, bytes, size, entries);
    }
    base_free(u.frame_sizes);
    if (status == WISP_OK) return status;
    base_free(*bytes);
    *bytes = NULL;
    return status;
}
