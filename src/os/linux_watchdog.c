#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "os/os.h"
#include "os/watchdog.h"

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER; /* of opening and closing; taken before `lock` */
static unsigned users;
static os_thread *thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static pthread_cond_t changed;
static bool stop;
static os_alarm *alarms;
static uint64_t waking; /* when the thread will look next */

/* Rings what is due; when the next one is. */
static uint64_t ring_due(void)
{
    uint64_t now = os_monotonic_ns(), next = UINT64_MAX;
    for (os_alarm *following, *a = alarms; a; a = following) {
        following = a->next;
        if (a->when > now) {
            if (a->when < next) next = a->when;
            continue;
        }
        *a->link = a->next;
        if (a->next) a->next->link = a->link;
        a->link = NULL;
        a->ring(a->argument);
    }
    return next;
}

static void watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!stop) {
        waking = ring_due();
        struct timespec until = {(time_t)(waking / 1000000000), (long)(waking % 1000000000)};
        if (waking == UINT64_MAX)
            pthread_cond_wait(&changed, &lock);
        else
            pthread_cond_timedwait(&changed, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
}

static wisp_status start(wisp_report *report)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
    stop = false;
    waking = UINT64_MAX;
    wisp_status status = os_thread_start(&thread, watch, NULL, report);
    if (status != WISP_OK) pthread_cond_destroy(&changed);
    return status;
}

wisp_status os_watchdog_open(wisp_report *report)
{
    pthread_mutex_lock(&users_lock);
    wisp_status status = users ? WISP_OK : start(report);
    if (status == WISP_OK) users++;
    pthread_mutex_unlock(&users_lock);
    return status;
}

void os_watchdog_close(void)
{
    pthread_mutex_lock(&users_lock);
    if (--users == 0) {
        pthread_mutex_lock(&lock);
        stop = true;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        os_thread_join(thread);
        pthread_cond_destroy(&changed);
    }
    pthread_mutex_unlock(&users_lock);
}

void os_alarm_set(os_alarm *alarm)
{
    pthread_mutex_lock(&lock);
    alarm->next = alarms;
    alarm->link = &alarms;
    if (alarms) alarms->link = &alarm->next;
    alarms = alarm;
    if (alarm->when < waking) {
        waking = alarm->when; /* others that are set before it wakes need not wake it again */
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
}

void os_alarm_clear(os_alarm *alarm)
{
    pthread_mutex_lock(&lock);
    if (alarm->link) {
        *alarm->link = alarm->next;
        if (alarm->next) alarm->next->link = alarm->link;
        alarm->link = NULL;
    }
    pthread_mutex_unlock(&lock);
}
