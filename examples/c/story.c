/* Opens a capsule, asks for a continuation and prints it as it comes:
 *     cc story.c $(pkg-config --cflags --libs wisp) -o story && ./story story.wasm "Once upon a time"
 */
#include <stdio.h>
#include <string.h>
#include <wisp/wisp.h>

static bool print_event(void *context, const wisp_event *event)
{
    (void)context;
    if (event->kind == WISP_EVENT_TEXT) {
        fwrite(event->text, 1, event->text_size, stdout);
        fflush(stdout);
    } else if (event->kind == WISP_EVENT_ERROR) {
        fprintf(stderr, "%s\n", event->text);
    }
    return true; /* go on */
}

int main(int argc, char **argv)
{
    wisp_capsule *capsule = NULL;
    wisp_session *session = NULL;
    wisp_report report = {0};
    wisp_completion request = WISP_COMPLETION_DEFAULTS;
    if (argc != 3) return fprintf(stderr, "usage: story FILE PROMPT\n"), 2;
    request.prompt = argv[2];
    request.prompt_size = strlen(argv[2]);
    request.max_tokens = 100;
    request.seed = 1;
    wisp_status status = wisp_open(&capsule, argv[1], NULL, &report);
    if (status == WISP_OK) status = wisp_session_new(&session, capsule, NULL, &report);
    if (status == WISP_OK) status = wisp_submit(session, &request, NULL, &report);
    if (status == WISP_OK) status = wisp_run(session, print_event, NULL, &report);
    putchar('\n');
    if (status != WISP_OK) fprintf(stderr, "%s\n", report.text);
    wisp_session_free(session);
    wisp_close(capsule);
    return status != WISP_OK;
}
