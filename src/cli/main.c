#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const cli_command *const cli_commands[] = {
    &cli_run,      &cli_pack,   &cli_quantize, &cli_imatrix,    &cli_compile, &cli_inspect, &cli_unpack,
    &cli_sign,     &cli_verify, &cli_trust,    &cli_keygen,     &cli_logits,  &cli_embed,   &cli_eval,
    &cli_tokenize, &cli_bench,  &cli_doctor,   &cli_completion, NULL,
};

static int general_help(void)
{
    printf(
        "Usage: wisp COMMAND [OPTIONS] …\nLanguage models as sandboxed, portable WebAssembly capsules.\n\nCommands:\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        printf("  %-12s %s\n", (*c)->name, (*c)->summary);
    printf("\n`wisp COMMAND --help` explains one. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted; `wisp "
           "run`\nof a program: its own up to 125, 134 if it trapped or met a limit.\n\nExample:\n"
           "  wisp pack model.gguf -o model.wasm && wisp run model.wasm -p \"Once upon a time\"\n");
    return EXIT_DONE;
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* What was printed must have arrived, or the exit status would lie. A reader that went away wanted no more: no error.
 */
static int check_output(int status)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE || status != EXIT_DONE) return status;
    wisp_report report = {.status = WISP_E_IO};
    snprintf(report.text, sizeof report.text, "standard output: %s", strerror(errno ? errno : EIO));
    return cli_fail(&report);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of fflush, not a death */
    signal(SIGXFSZ, SIG_IGN); /* likewise a file at its size limit */
    if (argc < 2) return cli_usage_error(NULL, "a command is missing");
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) return check_output(general_help());
    if (strcmp(argv[1], "--version") == 0) return printf("wisp %s\n", wisp_version()), check_output(EXIT_DONE);
    const cli_command *command = NULL;
    for (const cli_command *const *c = cli_commands; *c && !command; c++)
        if (strcmp((*c)->name, argv[1]) == 0) command = *c;
    if (!command) return cli_usage_error(NULL, "there is no command '%s'", argv[1]);
    int operands = cli_parse(command, argc - 2, argv + 2);
    if (operands == CLI_HELP_SHOWN) return check_output(EXIT_DONE);
    if (operands < 0) return EXIT_USAGE;
    cli_watch_interrupts();
    return check_output(command->run(operands, argv + 2));
}
