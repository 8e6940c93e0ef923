/* Runs the official WebAssembly test suite, converted to JSON (one folder a script):
 *     spec_runner [-v] [--mode interpreter|native] DIRECTORY [SCRIPT…]
 *     spec_runner --modes        the modes of this build, one a line
 *
 * Prints what passed, failed and was skipped by proposal and by kind of assertion, and why; exits 1 if anything failed.
 * Skipped is what needs a proposal that the machine says it does not support (WISP_E_UNSUPPORTED), and what depends on
 * it. -v: every skip, and every refusal that the suite words otherwise. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "os/os.h"
#include "run_modes.h"
#include "wasm/wasm.h"

typedef struct tally {
    unsigned passed, failed, skipped;
} tally;

static void add(tally *to, tally t)
{
    to->passed += t.passed;
    to->failed += t.failed;
    to->skipped += t.skipped;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Commands, by what they assert. */
static const char *const kinds[] = {"assert_return",     "assert_trap",           "assert_exhaustion",
                                    "assert_exception",  "assert_invalid",        "assert_malformed",
                                    "assert_unlinkable", "assert_uninstantiable", "others"};
enum { KINDS = sizeof kinds / sizeof *kinds };
static tally by_kind[KINDS];
static unsigned same_words, other_words; /* of refusals */

enum { MAX_MODULES = 2000, MAX_NAMES = 200 };

typedef struct loaded {
    char *name; /* "$M", or NULL */
    os_map map;
    wasm_module *module;
    wasm_instance *instance;
} loaded;

typedef struct script {
    const char *folder, *name;
    wasm_store *store;
    loaded modules[MAX_MODULES];
    unsigned module_count;
    wasm_named_extern externs[MAX_NAMES];
    unsigned extern_count;
    loaded *current; /* of commands that name no module; NULL: it was not supported */
    bool current_failed;
    bool verbose;
    tally tally, *kind;
    char why[160]; /* the first skip's reason */
    unsigned line;
} script;

/* ---- ways of running ---- */

typedef enum { INTERPRETER, NATIVE, MODES } spec_mode;
static const char *const mode_names[MODES] = {"interpreter", "native"};
static spec_mode mode = INTERPRETER;

/* NULL: not in this build. Memories have guard pages where the system lets them. */
static const run_mode *way_of(spec_mode m)
{
    for (unsigned i = 0; i < run_mode_count; i++)
        if (run_modes[i].native == (m == NATIVE) && !run_modes[i].explicit_checks) return &run_modes[i];
    return NULL;
}

/* ---- the host module "spectest" ---- */

static wisp_status print_nothing(void *context, wasm_instance *caller, wasm_value *v)
{
    (void)context, (void)caller, (void)v;
    return WISP_OK;
}

static const wasm_host_function print_functions[] = {
    {"print", "()", print_nothing},           {"print_i32", "(i)", print_nothing},
    {"print_i64", "(I)", print_nothing},      {"print_f32", "(f)", print_nothing},
    {"print_f64", "(F)", print_nothing},      {"print_i32_f32", "(if)", print_nothing},
    {"print_f64_f64", "(FF)", print_nothing},
};
static const wasm_host_module spectest = {"spectest", print_functions, sizeof print_functions / sizeof *print_functions,
                                          NULL};

static void must(wisp_status status, const wisp_report *report)
{
    if (status == WISP_OK) return;
    fprintf(stderr, "spec_runner: %s\n", report->text);
    exit(2);
}

static void add_extern(script *s, const char *module, const char *name, wasm_kind kind, void *any)
{
    wasm_named_extern *e = &s->externs[s->extern_count++];
    *e = (wasm_named_extern){.module = module, .name = name, .value = {.kind = kind}};
    e->value.any = any;
}

static void add_spectest(script *s)
{
    wisp_report report = {0};
    wasm_global *global;
    wasm_table *table;
    wasm_memory *memory;
    must(wasm_global_new(&global, s->store, WASM_I32, false, (wasm_value){.u64 = 666}, &report), &report);
    add_extern(s, "spectest", "global_i32", WASM_GLOBAL, global);
    must(wasm_global_new(&global, s->store, WASM_I64, false, (wasm_value){.u64 = 666}, &report), &report);
    add_extern(s, "spectest", "global_i64", WASM_GLOBAL, global);
    must(wasm_global_new(&global, s->store, WASM_F32, false, (wasm_value){.f32 = 666.6f}, &report), &report);
    add_extern(s, "spectest", "global_f32", WASM_GLOBAL, global);
    must(wasm_global_new(&global, s->store, WASM_F64, false, (wasm_value){.f64 = 666.6}, &report), &report);
    add_extern(s, "spectest", "global_f64", WASM_GLOBAL, global);
    wasm_range range = {.min = 10, .max = 20, .has_max = true};
    must(wasm_table_new(&table, s->store, WASM_FUNCREF, range, NULL, &report), &report);
    add_extern(s, "spectest", "table", WASM_TABLE, table);
    range.is64 = true;
    must(wasm_table_new(&table, s->store, WASM_FUNCREF, range, NULL, &report), &report);
    add_extern(s, "spectest", "table64", WASM_TABLE, table);
    range = (wasm_range){.min = 1, .max = 2, .has_max = true};
    must(wasm_memory_new(&memory, s->store, range, &report), &report);
    add_extern(s, "spectest", "memory", WASM_MEMORY, memory);
}

/* ---- results ---- */

static void passed(script *s)
{
    s->tally.passed++;
    s->kind->passed++;
}

static void skipped(script *s, const char *why)
{
    s->tally.skipped++;
    s->kind->skipped++;
    if (!s->why[0]) snprintf(s->why, sizeof s->why, "%s", why);
    if (s->verbose) printf("skip %s:%u %s\n", s->name, s->line, why);
}

static void failed(script *s, const char *what, const char *why)
{
    s->tally.failed++;
    s->kind->failed++;
    printf("FAIL %s:%u %s: %s\n", s->name, s->line, what, why);
}

/* ---- modules ---- */

static wisp_status load(script *s, const base_json *command, loaded *out, wisp_report *report)
{
    char path[1024];
    *out = (loaded){0};
    snprintf(path, sizeof path, "%s/%s", s->folder, base_json_str(base_json_get(command, "filename")));
    must(os_map_file(&out->map, path, report), report);
    return wasm_module_new(&out->module, (base_span){out->map.data, out->map.size}, NULL, report);
}

static wisp_status instantiate(script *s, loaded *l, wasm_trap *trap, wisp_report *report)
{
    wasm_imports imports = {&spectest, 1, s->externs, s->extern_count};
    BASE_TRY(wasm_instance_new(&l->instance, s->store, l->module, &imports, trap, report));
    BASE_TRY(run_mode_prepare(way_of(mode), l->instance, report));
    return wasm_instance_start(l->instance, trap, report);
}

static loaded *keep(script *s, const loaded *l)
{
    if (s->module_count == MAX_MODULES) {
        fprintf(stderr, "spec_runner: too many modules\n");
        exit(2);
    }
    s->modules[s->module_count] = *l;
    return &s->modules[s->module_count++];
}

static void name_it(loaded *l, const base_json *name)
{
    if (name) l->name = strdup(base_json_str(name));
}

static loaded *find(script *s, const base_json *name)
{
    if (!name) return s->current;
    for (unsigned i = s->module_count; i--;)
        if (s->modules[i].name && strcmp(s->modules[i].name, base_json_str(name)) == 0) return &s->modules[i];
    return NULL;
}

static void run_module(script *s, const base_json *command, bool definition)
{
    wisp_report report = {0};
    wasm_trap trap;
    loaded l;
    wisp_status status = load(s, command, &l, &report);
    if (status == WISP_OK && !definition) status = instantiate(s, &l, &trap, &report);
    name_it(&l, base_json_get(command, "name"));
    loaded *kept = keep(s, &l);
    if (!definition) {
        s->current = status == WISP_OK ? kept : NULL;
        if (status != WISP_OK) kept->instance = NULL;
    }
    if (status == WISP_OK) return;
    if (status == WISP_E_UNSUPPORTED || s->tally.skipped)
        skipped(s, report.text);
    else
        failed(s, "module", report.text);
}

static void run_module_instance(script *s, const base_json *command)
{
    wisp_report report = {0};
    wasm_trap trap;
    const loaded *definition = find(s, base_json_get(command, "definition"));
    if (!definition || !definition->module) return skipped(s, "its definition was not supported");
    loaded l = {.module = definition->module};
    wisp_status status = instantiate(s, &l, &trap, &report);
    l.module = NULL; /* the definition's to free */
    name_it(&l, base_json_get(command, "name"));
    s->current = keep(s, &l);
    if (status != WISP_OK) failed(s, "module_instance", report.text);
}

static void run_register(script *s, const base_json *command)
{
    const loaded *l = find(s, base_json_get(command, "name"));
    if (!l || !l->instance) return skipped(s, "module not supported");
    wasm_named_extern *e = &s->externs[s->extern_count++];
    *e = (wasm_named_extern){.module = strdup(base_json_str(base_json_get(command, "as"))), .instance = l->instance};
}

/* ---- values ---- */

static const char *text_of(const base_json *node, const char *key)
{
    return base_json_str(base_json_get(node, key));
}

static unsigned lane_bytes(const char *lane_type)
{
    return is(lane_type, "i8") ? 1 : is(lane_type, "i16") ? 2 : lane_type[1] == '3' ? 4 : 8;
}

static bool parse_value(const base_json *node, wasm_value *out)
{
    const char *type = text_of(node, "type"), *value = text_of(node, "value");
    memset(out, 0, sizeof *out);
    if (is(type, "v128")) {
        const char *lane_type = text_of(node, "lane_type");
        unsigned size = lane_bytes(lane_type), i = 0;
        for (const base_json *lane = base_json_get(node, "value")->first; lane; lane = lane->next, i++) {
            uint64_t bits = strtoull(base_json_str(lane), NULL, 10);
            memcpy(out->v128 + i * size, &bits, size);
        }
        return true;
    }
    if (is(type, "i32") || is(type, "f32") || is(type, "i64") || is(type, "f64")) {
        out->u64 = strtoull(value, NULL, 10);
        return true;
    }
    if (!value || is(value, "null")) return value != NULL;
    out->ref = (void *)(uintptr_t)(strtoull(value, NULL, 10) + 1); /* host references: NULL is the null one */
    return is(type, "externref");
}

static bool bits_match(const char *wanted, uint64_t bits, unsigned size)
{
    uint64_t quiet = size == 4 ? 0x7fc00000 : 0x7ff8000000000000, magnitude = size == 4 ? 0x7fffffff : INT64_MAX;
    if (is(wanted, "nan:canonical")) return (bits & magnitude) == quiet;
    if (is(wanted, "nan:arithmetic")) return (bits & quiet) == quiet;
    uint64_t mask = size == 8 ? UINT64_MAX : (1ull << size * 8) - 1;
    return (strtoull(wanted, NULL, 10) & mask) == (bits & mask);
}

static bool value_matches(const base_json *node, const wasm_value *v)
{
    const char *type = text_of(node, "type"), *value = text_of(node, "value");
    if (is(type, "either")) {
        for (const base_json *one = base_json_get(node, "values")->first; one; one = one->next)
            if (value_matches(one, v)) return true;
        return false;
    }
    if (is(type, "v128")) {
        unsigned size = lane_bytes(text_of(node, "lane_type")), i = 0;
        for (const base_json *lane = base_json_get(node, "value")->first; lane; lane = lane->next, i++) {
            uint64_t bits = 0;
            memcpy(&bits, v->v128 + i * size, size);
            if (!bits_match(base_json_str(lane), bits, size)) return false;
        }
        return true;
    }
    if (is(type, "i32")) return bits_match(value, v->u64, 8); /* the upper half must be zero, too */
    if (is(type, "f32")) return bits_match(value, v->u32, 4);
    if (is(type, "i64") || is(type, "f64")) return bits_match(value, v->u64, 8);
    if (strncmp(type, "null", 4) == 0) return v->ref == NULL;
    if (!value) return v->ref != NULL;
    return v->ref == (is(value, "null") ? NULL : (void *)(uintptr_t)(strtoull(value, NULL, 10) + 1));
}

/* ---- actions ---- */

enum { MAX_VALUES = 32 };

typedef struct outcome {
    wisp_status status;
    wasm_value values[MAX_VALUES];
    uint32_t count;
    wasm_trap trap;
    wisp_report report;
    bool skip;
} outcome;

static void invoke(wasm_func *func, const base_json *action, outcome *out)
{
    wasm_value args[MAX_VALUES];
    uint32_t count = 0;
    for (const base_json *arg = base_json_get(action, "args")->first; arg; arg = arg->next)
        if (!parse_value(arg, &args[count++])) {
            out->skip = true;
            return;
        }
    const wasm_functype *type = wasm_func_type(func);
    out->count = type->result_count;
    out->status = wasm_call(func, args, count, out->values, out->count, &out->trap, &out->report);
    out->skip = out->status == WISP_E_UNSUPPORTED;
}

static void act(script *s, const base_json *action, outcome *out)
{
    memset(out, 0, sizeof *out);
    const loaded *l = find(s, base_json_get(action, "module"));
    out->skip = !l || !l->instance;
    if (out->skip) return;
    const base_json *field = base_json_get(action, "field");
    wasm_extern value;
    if (!wasm_instance_export(l->instance, field->text, field->size, &value)) {
        out->status = base_fail(&out->report, WISP_E_NOT_FOUND, "no such export");
    } else if (is(text_of(action, "type"), "get")) {
        out->values[out->count++] = wasm_global_get(value.global);
    } else {
        invoke(value.func, action, out);
    }
}

static void assert_return(script *s, const base_json *command, const outcome *out)
{
    if (out->status != WISP_OK) return failed(s, "assert_return", out->report.text);
    uint32_t i = 0;
    for (const base_json *e = base_json_get(command, "expected")->first; e; e = e->next, i++) {
        if (i < out->count && value_matches(e, &out->values[i])) continue;
        char text[200];
        snprintf(text, sizeof text, "%s: result %u is %016llx %016llx",
                 text_of(base_json_get(command, "action"), "field"), i, (unsigned long long)out->values[i].words[0],
                 (unsigned long long)out->values[i].words[1]);
        return failed(s, "assert_return", text);
    }
    if (i != out->count) return failed(s, "assert_return", "another number of results");
    passed(s);
}

/* The suite's text may say more ("uninitialized element 2"), or ours. */
static bool reason_matches(const char *wanted, const char *got)
{
    size_t a = strlen(wanted), b = strlen(got);
    return strncmp(wanted, got, a < b ? a : b) == 0 && b > 0;
}

static void assert_trap(script *s, const base_json *command, const outcome *out)
{
    const char *wanted = text_of(command, "text");
    if (out->status != WISP_E_TRAP) return failed(s, wanted, out->status ? out->report.text : "no trap");
    if (!reason_matches(wanted, out->trap.reason)) return failed(s, wanted, out->trap.reason);
    passed(s);
}

static void assert_exception(script *s, const outcome *out)
{
    if (out->status == WISP_OK) return failed(s, "assert_exception", "no exception");
    if (!strstr(out->trap.reason, "exception")) return failed(s, "assert_exception", out->report.text);
    passed(s);
}

static void run_action(script *s, const base_json *command, const char *type)
{
    static outcome out;
    act(s, base_json_get(command, "action"), &out);
    if (out.skip) return skipped(s, "module or value not supported");
    if (is(type, "assert_return"))
        assert_return(s, command, &out);
    else if (is(type, "assert_trap") || is(type, "assert_exhaustion"))
        assert_trap(s, command, &out);
    else if (is(type, "assert_exception"))
        assert_exception(s, &out);
    else if (is(type, "action"))
        out.status == WISP_OK ? passed(s) : failed(s, "action", out.report.text);
    else
        failed(s, type, "unknown command");
}

/* ---- modules that must be refused ---- */

/* Refused it must be; that it is said in the same words is counted, not demanded: one file may be wrong in many ways.
 */
static void compare_words(script *s, const char *wanted, const char *got)
{
    bool same = strstr(got, wanted) != NULL;
    *(same ? &same_words : &other_words) += 1;
    if (!same && s->verbose) printf("words %s:%u \"%s\": %s\n", s->name, s->line, wanted, got);
}

static void assert_refused(script *s, const base_json *command, const char *type)
{
    wisp_report report = {0};
    wasm_trap trap;
    loaded l;
    const char *wanted = text_of(command, "text");
    wisp_status status = load(s, command, &l, &report);
    bool decoding = is(type, "assert_invalid") || is(type, "assert_malformed");
    if (status == WISP_E_UNSUPPORTED) {
        skipped(s, report.text);
    } else if (decoding) {
        if (status == WISP_OK) {
            failed(s, type, wanted);
        } else {
            passed(s);
            compare_words(s, wanted, report.text);
        }
    } else if (status != WISP_OK) {
        failed(s, type, report.text);
    } else {
        status = instantiate(s, &l, &trap, &report);
        bool linking = status == WISP_E_INPUT || status == WISP_E_NOT_FOUND;
        if (is(type, "assert_unlinkable") ? !linking : status != WISP_E_TRAP)
            failed(s, type, wanted);
        else if (!strstr(report.text, wanted) && !linking && !reason_matches(wanted, trap.reason))
            failed(s, wanted, report.text);
        else
            passed(s);
    }
    keep(s, &l);
}

static void run_command(script *s, const base_json *command)
{
    const char *type = text_of(command, "type");
    uint64_t line = 0;
    (void)base_json_uint(base_json_get(command, "line"), &line);
    s->line = (unsigned)line;
    unsigned kind = 0;
    while (kind < KINDS - 1 && !is(type, kinds[kind]))
        kind++;
    s->kind = &by_kind[kind];
    if (is(type, "module") || is(type, "module_definition"))
        run_module(s, command, type[6] != 0);
    else if (is(type, "module_instance"))
        run_module_instance(s, command);
    else if (is(type, "register"))
        run_register(s, command);
    else if (base_json_get(command, "action"))
        run_action(s, command, type);
    else if (is(type, "assert_invalid_custom"))
        return;
    else
        assert_refused(s, command, type);
}

static tally run_script(const char *folder, const char *name, bool verbose)
{
    static script s; /* too large for the stack */
    char path[2048];
    os_map map;
    base_json_doc *doc;
    const base_json *root;
    wisp_report report = {0};
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    if (os_map_file(&map, path, &report) != WISP_OK) return (tally){0};
    must(base_json_parse(&doc, &root, map.data, map.size, &report), &report);
    s = (script){.folder = folder, .name = name, .verbose = verbose};
    must(wasm_store_new(&s.store, NULL, &report), &report);
    add_spectest(&s);
    for (const base_json *c = base_json_get(root, "commands")->first; c; c = c->next)
        run_command(&s, c);
    wasm_store_free(s.store);
    for (unsigned i = 0; i < s.module_count; i++) {
        wasm_module_free(s.modules[i].module);
        if (s.modules[i].map.data) os_unmap(&s.modules[i].map);
        free(s.modules[i].name);
    }
    for (unsigned i = 7; i < s.extern_count; i++)
        free((void *)(uintptr_t)s.externs[i].module);
    base_json_free(doc);
    os_unmap(&map);
    if (s.tally.skipped)
        printf("%-24s skipped %u of %u: %s\n", name, s.tally.skipped, s.tally.skipped + s.tally.passed + s.tally.failed,
               s.why);
    return s.tally;
}

/* ---- the table ---- */

static const struct {
    const char *proposal, *scripts; /* names between blanks; a trailing * matches the rest */
} proposals[] = {
    {"relaxed SIMD", " i16x8_relaxed* i32x4_relaxed* i8x16_relaxed* relaxed_* "},
    {"SIMD", " simd_* "},
    {"garbage collection", " array* binary-gc br_on_cast* extern i31 ref_cast ref_eq ref_test struct type-* "},
    {"function references", " br_on_non_null br_on_null call_ref ref ref_as_non_null return_call_ref local_init "},
    {"exceptions", " tag throw throw_ref try_table "},
    {"tail calls", " return_call return_call_indirect "},
    {"memory64",
     " address64 align64 binary_leb128_64 bulk64 call_indirect64 endianness64 float_memory64 load64 memory64* "
     "memory_copy64 memory_fill64 memory_grow64 memory_init64 memory_redundancy64 memory_trap64 table64 "
     "table_copy64 table_copy_mixed table_fill64 table_get64 table_grow64 table_init64 table_set64 "
     "table_size64 "},
    {"multiple memories",
     " address0 address1 align0 binary0 data0 data1 data_drop0 exports0 float_exprs0 float_exprs1 "
     "float_memory0 imports0 imports1 imports2 imports3 imports4 linking0 linking1 linking2 linking3 "
     "load0 load1 load2 memory-multi memory_copy0 memory_copy1 memory_fill0 memory_init0 memory_size0 "
     "memory_size1 memory_size2 memory_size3 memory_size_import memory_trap0 memory_trap1 start0 "
     "store0 store1 store2 traps0 simd_memory-multi "},
    {"core 2.0", " * "},
};
enum { PROPOSALS = sizeof proposals / sizeof *proposals };

static unsigned proposal_of(const char *name)
{
    size_t size = strlen(name);
    for (unsigned i = 0; i < PROPOSALS - 1; i++)
        for (const char *p = proposals[i].scripts + 1; *p; p = strchr(p, ' ') + 1) {
            size_t n = strcspn(p, " ");
            if (p[n - 1] == '*' ? strncmp(p, name, n - 1) == 0 : n == size && memcmp(p, name, n) == 0) return i;
        }
    return PROPOSALS - 1;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool selected(const char *name, char **only, int count)
{
    for (int i = 0; i < count; i++)
        if (is(name, only[i])) return true;
    return count == 0;
}

typedef struct totals {
    tally all, by[PROPOSALS];
    char **only;
    int only_count;
    bool verbose;
} totals;

/* A folder X that holds X.json is a script; any other is searched for scripts. */
static void run_folder(const char *folder, const char *name, totals *t)
{
    char path[2048];
    os_file_info info;
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    if (os_stat(path, &info)) {
        if (!selected(name, t->only, t->only_count)) return;
        tally one = run_script(folder, name, t->verbose);
        add(&t->by[proposal_of(name)], one);
        add(&t->all, one);
        return;
    }
    DIR *directory = opendir(folder);
    if (!directory) return;
    char *names[1000];
    unsigned count = 0;
    for (struct dirent *e; (e = readdir(directory)) && count < 1000;)
        if (e->d_name[0] != '.' && e->d_type == DT_DIR) names[count++] = strdup(e->d_name);
    closedir(directory);
    qsort(names, count, sizeof *names, compare);
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        run_folder(path, names[i], t);
        free(names[i]);
    }
}

static void print_row(const char *name, tally t)
{
    printf("%-22s %8u %8u %8u\n", name, t.passed, t.failed, t.skipped);
}

static void print_tables(const totals *t)
{
    printf("%-22s %8s %8s %8s\n", mode_names[mode], "passed", "failed", "skipped");
    for (unsigned i = 0; i < PROPOSALS; i++)
        print_row(proposals[i].proposal, t->by[i]);
    print_row("all", t->all);
    printf("\n");
    for (unsigned i = 0; i < KINDS; i++)
        print_row(kinds[i], by_kind[i]);
    printf("refusals in the suite's words: %u of %u\n", same_words, same_words + other_words);
}

static int list_modes(void)
{
    for (unsigned i = 0; i < MODES; i++)
        if (way_of((spec_mode)i)) printf("%s\n", mode_names[i]);
    return 0;
}

static bool set_mode(const char *name)
{
    for (unsigned i = 0; i < MODES; i++)
        if (is(name, mode_names[i])) mode = (spec_mode)i;
    return is(name, mode_names[mode]) && way_of(mode);
}

int main(int argc, char **argv)
{
    totals t = {0};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (is(argv[i], "--modes")) return list_modes();
        if (is(argv[i], "-v"))
            t.verbose = true;
        else if (!is(argv[i], "--mode") || ++i == argc || !set_mode(argv[i]))
            argc = 0; /* usage */
    }
    if (i >= argc)
        return fprintf(stderr, "usage: spec_runner [-v] [--mode interpreter|native] DIRECTORY [SCRIPT...]\n"), 2;
    t.only = argv + i + 1;
    t.only_count = argc - i - 1;
    run_folder(argv[i], "", &t);
    print_tables(&t);
    if (t.all.passed == 0) printf("no script found in %s\n", argv[i]);
    return t.all.failed != 0 || t.all.passed == 0;
}
