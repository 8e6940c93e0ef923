/* The other half: f5 and f6. */
long f3(long x);

static const short squares[8] = {0, 1, 4, 9, 16, 25, 36, 49};

long f5(long x)
{
    return squares[x & 7] + 100;
}

long f6(const unsigned char *p, long n)
{
    long sum = n == 4 ? f3(2) : 0;
    while (n--)
        sum += p[n];
    return sum;
}
