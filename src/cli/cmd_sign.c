/* wisp keygen, wisp sign, wisp verify, wisp trust. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wisp/json.h>
#include <wisp/sign.h>

#include "cli/cli.h"

static const char *output, *key, *comment, *name, *signature;
static bool detached, replace, as_json;
static cli_list keys;

#define JSON_OPTION                                                                                                    \
    {                                                                                                                  \
        0, "json", NULL, "the result as JSON", CLI_FLAG, &as_json, 0, 0, NULL                                          \
    }

static void append_field(char **text, const char *before, const char *value)
{
    cli_append(text, "%s", before);
    cli_append_quoted(text, value, strlen(value));
}

static void append_key(char **text, const wisp_key *k)
{
    cli_append(text, "{\"key\":\"%s\",\"minisign\":\"%s\"", k->id, k->minisign);
    append_field(text, ",\"name\":", k->name);
    cli_append(text, "}");
}

static void print_and_free(char *text)
{
    puts(text);
    free(text);
}

/* ---- keygen ---- */

static const cli_option keygen_options[] = {
    {'o', "output", "NAME", "writes NAME.key and NAME.pub (default: sign in $XDG_CONFIG_HOME/wisp)", CLI_TEXT, &output,
     0, 0, NULL},
    JSON_OPTION,
    {0},
};

static int run_keygen(int count, char **operands)
{
    (void)count, (void)operands;
    wisp_report report = {0};
    wisp_key made;
    if (wisp_keygen(output, &made, &report) != WISP_OK) return cli_fail(&report);
    if (as_json) {
        char *text = NULL;
        append_key(&text, &made);
        print_and_free(text);
        return EXIT_DONE;
    }
    printf("key             %s\nminisign -P     %s\n", made.id, made.minisign);
    const char *config = getenv("XDG_CONFIG_HOME"); /* a relative one is ignored */
    if (!config || config[0] != '/') config = "~/.config";
    printf("%s%s%s.key is secret and not encrypted: keep it where only you can read it.\n", output ? "" : config,
           output ? "" : "/wisp/", output ? output : "sign");
    return EXIT_DONE;
}

const cli_command cli_keygen = {
    "keygen",
    "Makes a pair of keys for signing",
    "",
    "  wisp keygen -o me && wisp trust add me.pub",
    keygen_options,
    0,
    0,
    run_keygen,
};

/* ---- sign ---- */

static const cli_option sign_options[] = {
    {'k', "key", "FILE.key", "the secret key (default: sign.key in $XDG_CONFIG_HOME/wisp); repeatable", CLI_LIST, &keys,
     0, 0, NULL},
    {'o', "output", "FILE", "where to write (default: in place; detached: FILE.minisig)", CLI_TEXT, &output, 0, 0,
     NULL},
    {0, "detached", NULL, "a signature beside the file, which minisign reads; for any file", CLI_FLAG, &detached, 0, 0,
     NULL},
    {0, "comment", "TEXT", "detached: a line that is signed as well", CLI_TEXT, &comment, 0, 0, NULL},
    {0, "replace", NULL, "drop the signatures of other keys", CLI_FLAG, &replace, 0, 0, NULL},
    JSON_OPTION,
    {0},
};

static int run_sign(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    cli_progress progress;
    uint32_t kept;
    if (comment && !detached) return cli_usage_error(&cli_sign, "--comment is for --detached");
    cli_progress_begin(&progress, "signing");
    wisp_sign_options options = {.size = sizeof options,
                                 .input = operands[0],
                                 .output = output,
                                 .keys = keys.count ? keys.items : NULL,
                                 .key_count = (uint32_t)keys.count,
                                 .detached = detached,
                                 .replace = replace,
                                 .comment = comment,
                                 .progress = cli_progress_step,
                                 .progress_context = &progress};
    wisp_status status = wisp_sign(&options, &kept, &report);
    cli_progress_end(&progress);
    if (status == WISP_E_NOT_FOUND && !keys.count && access(operands[0], F_OK) == 0)
        return cli_fail_with(&report, "`wisp keygen` makes one, --key names one");
    if (status == WISP_E_UNSUPPORTED && !replace)
        return cli_fail_with(&report, "sign with all keys at once, or with --replace, or --detached");
    if (status != WISP_OK) return cli_fail(&report);
    if (as_json) {
        char *text = NULL;
        append_field(&text, "{\"output\":", output ? output : operands[0]);
        if (detached && !output) text[strlen(text) - 1] = 0, cli_append(&text, ".minisig\"");
        cli_append(&text, ",\"detached\":%s,\"kept\":%u}", detached ? "true" : "false", (unsigned)kept);
        print_and_free(text);
        return EXIT_DONE;
    }
    if (kept) printf("%u other signature%s kept\n", (unsigned)kept, kept == 1 ? "" : "s");
    return EXIT_DONE;
}

const cli_command cli_sign = {
    "sign",
    "Signs a capsule or another module, or any file beside it",
    "FILE",
    "  wisp sign model.wasm --key me.key\n  wisp sign --detached model.gguf --key me.key && "
    "minisign -Vm model.gguf -p me.pub",
    sign_options,
    1,
    1,
    run_sign,
};

/* ---- verify ---- */

static const cli_option verify_options[] = {
    {'k', "key", "FILE.pub", "the key that must have signed (default: any trusted one)", CLI_TEXT, &key, 0, 0, NULL},
    {0, "detached", NULL, "look at FILE.minisig, whatever is inside", CLI_FLAG, &detached, 0, 0, NULL},
    {0, "signature", "FILE", "the detached signature's file", CLI_TEXT, &signature, 0, 0, NULL},
    {0, "json", NULL, "the verdict as JSON", CLI_FLAG, &as_json, 0, 0, NULL},
    {0},
};

static void print_json(const wisp_verdict *v, wisp_status status, const wisp_report *report)
{
    char *text = NULL;
    cli_append(&text, "{\"trusted\":%s,\"status\":", status == WISP_OK ? "true" : "false");
    const char *words = status == WISP_OK ? "good" : wisp_status_text(status);
    cli_append_quoted(&text, words, strlen(words));
    cli_append(&text, ",\"reason\":");
    if (status == WISP_OK)
        cli_append(&text, "null");
    else
        cli_append_quoted(&text, report->text, strlen(report->text));
    cli_append(&text, ",\"detached\":%s,\"file_bytes\":%llu,\"covered_bytes\":%llu,\"comment\":",
               v->is_detached ? "true" : "false", (unsigned long long)v->file_bytes,
               (unsigned long long)v->covered_bytes);
    cli_append_quoted(&text, v->comment, strlen(v->comment));
    cli_append(&text, ",\"signers\":[");
    for (uint32_t i = 0; i < v->signer_count; i++) {
        const wisp_signer *s = &v->signers[i];
        cli_append(&text, "%s{\"key\":\"%s\",\"name\":", i ? "," : "", s->key.id);
        cli_append_quoted(&text, s->key.name, strlen(s->key.name));
        cli_append(&text, ",\"valid\":%s}", s->valid ? "true" : "false");
    }
    cli_append(&text, "]}");
    print_and_free(text);
}

static void print_verdict(const wisp_verdict *v, bool good)
{
    char bytes[32];
    for (uint32_t i = 0; i < v->signer_count; i++) {
        const wisp_signer *s = &v->signers[i];
        printf("%-16s%s", i ? "" : "signed by", s->key.id[0] ? s->key.id : "a key that it does not name");
        if (s->key.name[0]) {
            printf(" (");
            cli_put_clean(stdout, s->key.name);
            putchar(')');
        }
        puts(s->valid ? "" : v->is_detached ? "" : ", which is not trusted and was not checked");
    }
    if (!good) return;
    printf("%-16s%s\n", "kind", v->is_detached ? "beside the file (minisign)" : "inside the module");
    printf("%-16s%s: %s\n", "covers", cli_size(v->covered_bytes, bytes),
           v->is_detached ? "the whole file" : "all after the signature, to the end of the file");
    if (!v->comment[0]) return;
    char shown[sizeof v->comment];
    snprintf(shown, sizeof shown, "%s", v->comment);
    for (char *tab = shown; (tab = strchr(tab, '\t'));)
        *tab = ' '; /* minisign's own comments have them */
    printf("%-16s", "signed comment");
    cli_put_clean(stdout, shown);
    putchar('\n');
}

static void count_key(void *context, const wisp_key *trusted)
{
    (void)trusted;
    ++*(unsigned *)context;
}

static unsigned trusted_keys(void)
{
    unsigned count = 0;
    return wisp_trust_list(count_key, &count, NULL) == WISP_OK ? count : UINT_MAX;
}

static int run_verify(int count, char **operands)
{
    (void)count;
    wisp_report report = {0};
    wisp_verdict verdict = {.size = sizeof verdict};
    cli_progress progress;
    cli_progress_begin(&progress, "verifying");
    wisp_verify_options options = {.size = sizeof options,
                                   .file = operands[0],
                                   .signature = signature,
                                   .detached = detached,
                                   .key = key,
                                   .progress = cli_progress_step,
                                   .progress_context = &progress};
    wisp_status status = wisp_verify(&options, &verdict, &report);
    cli_progress_end(&progress);
    if (as_json)
        print_json(&verdict, status, &report);
    else
        print_verdict(&verdict, status == WISP_OK);
    if (status == WISP_E_UNTRUSTED && !key && trusted_keys() == 0)
        return cli_fail_with(&report, "`wisp trust add KEY.pub` trusts one, --key KEY.pub asks for one");
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_verify = {
    "verify",
    "Says who signed a file; done only if a trusted key signed all of it",
    "FILE",
    "  wisp verify model.wasm --key author.pub",
    verify_options,
    1,
    1,
    run_verify,
};

/* ---- trust ---- */

static const cli_option trust_options[] = {
    {0, "name", "NAME", "what to call the key (default: its file's name)", CLI_TEXT, &name, 0, 0, NULL},
    JSON_OPTION,
    {0},
};

static void print_key(void *context, const wisp_key *k)
{
    (void)context;
    printf("%s  %s  ", k->id, k->minisign);
    cli_put_clean(stdout, k->name);
    putchar('\n');
}

static void list_key(void *context, const wisp_key *k)
{
    char **text = context;
    if (*text) cli_append(text, ",");
    append_key(text, k);
}

static void print_added(const wisp_key *k)
{
    char *text = NULL;
    if (!as_json) {
        print_key(NULL, k);
        return;
    }
    append_key(&text, k);
    print_and_free(text);
}

static wisp_status list_trusted(wisp_report *report)
{
    char *text = NULL;
    if (!as_json) return wisp_trust_list(print_key, NULL, report);
    wisp_status status = wisp_trust_list(list_key, &text, report);
    if (status == WISP_OK) printf("[%s]\n", text ? text : "");
    free(text);
    return status;
}

static int run_trust(int count, char **operands)
{
    wisp_report report = {0};
    wisp_key added;
    wisp_status status;
    if (count == 1 && strcmp(operands[0], "list") == 0) {
        status = list_trusted(&report);
    } else if (count == 2 && strcmp(operands[0], "add") == 0) {
        status = wisp_trust_add(operands[1], name, &added, &report);
        if (status == WISP_OK) print_added(&added);
    } else if (count == 2 && strcmp(operands[0], "remove") == 0) {
        status = wisp_trust_remove(operands[1], &report);
    } else {
        return cli_usage_error(&cli_trust, "list, add KEY.pub or remove NAME, not '%s'", operands[0]);
    }
    return status == WISP_OK ? EXIT_DONE : cli_fail(&report);
}

const cli_command cli_trust = {
    "trust",
    "Lists, adds and removes the keys whose signatures count here",
    "list | add KEY.pub | remove NAME",
    "  wisp trust add author.pub --name author && wisp trust list",
    trust_options,
    1,
    2,
    run_trust,
};
