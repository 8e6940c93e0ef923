/* measure RUNS COMMAND [ARG…]: runs the command, its output thrown away, and prints the wall time in nanoseconds and
 * the peak resident kilobytes of each run. A program of its own, so that what it forks from is small. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 3) return fprintf(stderr, "usage: measure RUNS COMMAND [ARG...]\n"), 2;
    for (int n = atoi(argv[1]); n > 0; n--) {
        struct rusage usage;
        int status;
        long long begin = now_ns();
        pid_t child = vfork();
        if (child == 0) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 1);
            execvp(argv[2], argv + 2);
            _exit(127);
        }
        if (child < 0 || wait4(child, &status, 0, &usage) != child) return perror("measure"), 1;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return fprintf(stderr, "measure: %s ended with status %d\n", argv[2], status), 1;
        printf("%lld %ld\n", now_ns() - begin, usage.ru_maxrss);
    }
    return 0;
}
