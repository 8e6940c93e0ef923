/* Half of a "module" as the code generator would write it: functions f3 and f4, entry e1, read-only data, a jump table,
 * calls to the other half. Compiled by the build for each target; link_test.c joins and runs the halves. */
long f5(long x);
long f6(const unsigned char *p, long n);

static const unsigned char primes[16] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
static const double halves[4] = {0.5, 1.5, 2.5, 3.5};

__attribute__((noinline)) long f3(long x)
{
    return f6(primes, 16) + f5(x) + (long)(halves[x & 3] * 2);
}

long f4(long x)
{
    switch (x) { /* a jump table */
    case 0:
        return f5(1);
    case 1:
        return f3(7);
    case 2:
        return f5(x) * 3;
    case 3:
        return 1 - f3(x);
    case 4:
        return x ^ 0x1234;
    case 5:
        return f6(primes + 3, 4);
    default:
        return -1;
    }
}

void e1(void *context, long (*code)(long), long *v)
{
    (void)context;
    *v = code(*v);
}
