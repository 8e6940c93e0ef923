/* Alarms kept by one thread for the whole process. It runs while anybody has opened the watchdog, and is joined when
 * the last one closes it. A forked child has no such thread: its alarms do not ring. */
#ifndef OS_WATCHDOG_H
#define OS_WATCHDOG_H
#include "base/err.h"
#include <stdint.h>

typedef struct os_alarm {         /* zeroed: not set */
    uint64_t when;                /* os_monotonic_ns */
    void (*ring)(void *argument); /* on the watchdog's thread: short, and touches no alarm */
    void *argument;
    struct os_alarm *next, **link; /* NULL: not set */
} os_alarm;

wisp_status os_watchdog_open(wisp_report *report) WISP_MUST_USE;
void os_watchdog_close(void);

void os_alarm_set(os_alarm *alarm);   /* open; not set yet */
void os_alarm_clear(os_alarm *alarm); /* afterwards ring does not run, nor will it; also when it has rung */

#endif
