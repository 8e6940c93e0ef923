/* Data that are written to: an image has none. */
long f5(long x);
static long counter;
long f3(long x)
{
    return counter += f5(x);
}
