/* Calls and little else: Takeuchi's function, Ackermann's, and a walk over a binary tree. Calls stay calls: how far a
 * compiler inlines recursion is not the question here. */
#include "bench.h"

typedef struct node {
    struct node *left, *right;
    uint32_t value;
} node;
static node nodes[1 << 14];

static node *grow(uint32_t depth, uint32_t *next)
{
    node *n = &nodes[(*next)++];
    n->value = random_u32();
    n->left = depth ? grow(depth - 1, next) : NULL;
    n->right = depth ? grow(depth - 1, next) : NULL;
    return n;
}

static node *root;
static void setup(void)
{
    uint32_t next = 0;
    root = grow(12, &next);
}

static __attribute__((noinline)) int tak(int x, int y, int z)
{
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

static __attribute__((noinline)) uint32_t ackermann(uint32_t m, uint32_t n)
{
    if (m == 0) return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static __attribute__((noinline)) uint32_t walk(const node *n, uint32_t depth)
{
    return n ? n->value * (depth | 1) + walk(n->left, depth + 1) * 3 + walk(n->right, depth + 1) : depth;
}

static uint32_t run(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        sum = sum * 31 + (uint32_t)tak(16, 11, 5 + i % 2);
        sum = sum * 31 + ackermann(2, 200 + (uint32_t)i);
        sum = sum * 31 + walk(root, (uint32_t)i);
    }
    return sum;
}
