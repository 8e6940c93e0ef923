#include "host/sized.h"

#include <stdint.h>
#include <string.h>

static size_t size_of(const void *sized)
{
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

static wisp_status check_size(const void *sized, const char *name, wisp_report *report)
{
    if (size_of(sized) >= sizeof(size_t)) return WISP_OK;
    return base_fail(report, WISP_E_USAGE, "%s: its size is not set: begin with {.size = sizeof(%s)}", name, name);
}

wisp_status host_take_options(void *to, size_t size, const void *from, const char *name, wisp_report *report)
{
    memset(to, 0, size);
    if (!from) return WISP_OK;
    BASE_TRY(check_size(from, name, report));
    const size_t given = size_of(from);
    for (size_t i = size; i < given; i++)
        if (((const uint8_t *)from)[i])
            return base_fail(report, WISP_E_UNSUPPORTED, "%s: asks for something that this version of WISP lacks",
                             name);
    memcpy(to, from, given < size ? given : size);
    return WISP_OK;
}

wisp_status host_check_result(const void *result, const char *name, wisp_report *report)
{
    if (!result) return base_fail(report, WISP_E_USAGE, "%s: not given", name);
    return check_size(result, name, report);
}

void host_give_result(void *result, const void *own, size_t size)
{
    const size_t given = size_of(result), head = sizeof given;
    const size_t known = given < size ? given : size;
    memcpy((uint8_t *)result + head, (const uint8_t *)own + head, known - head);
    memset((uint8_t *)result + known, 0, given - known);
}
