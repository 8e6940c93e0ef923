#include "guest/sample.h"

#include <string.h>

#include "base/mem.h"

/* ---- numbers ---- */

static uint64_t rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

/* xoshiro256** 1.0 (Blackman, Vigna), seeded by SplitMix64 as its authors advise. */
uint64_t guest_random(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

void guest_random_seed(uint64_t state[4], uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        state[i] = z ^ z >> 31;
    }
}

double guest_exp(double x)
{
    if (!(x > -708.0)) return 0; /* below, results are subnormal: as good as nothing here */
    int64_t k = (int64_t)(x * 1.4426950408889634 - 0.5);
    double r = x - (double)k * 6.93147180369123816490e-01; /* ln 2 in two parts; the product with the first is exact */
    r -= (double)k * 1.90821492927058770002e-10;
    double sum = 1;
    for (int n = 14; n >= 1; n--) /* |r| < 0.35: the next term would be below 1e-19 */
        sum = 1 + r * sum / n;
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* x = m * 2^k with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)), whose series ends quickly. */
double guest_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t k = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m /= 2;
        k++;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int n = 21; n >= 1; n -= 2) /* |s| < 0.172: the next term would be below 1e-18 */
        sum = sum * square + 1.0 / n;
    return 2 * s * sum + (double)k * 0.69314718055994531;
}

/* ---- selection ---- */

static bool is_better(guest_candidate a, guest_candidate b)
{
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/* A heap whose root is the worst of those kept. */
static void sift_down(guest_candidate *heap, size_t root, size_t count)
{
    guest_candidate moved = heap[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_better(heap[child], heap[child + 1])) child++;
        if (!is_better(moved, heap[child])) break;
        heap[root] = heap[child];
    }
    heap[root] = moved;
}

size_t guest_largest(const float *logits, uint32_t count, guest_candidate *out, size_t k)
{
    size_t n = 0;
    for (uint32_t id = 0; id < count && k > 0; id++) {
        guest_candidate c = {logits[id], id};
        if (c.logit != c.logit) continue;
        if (n < k) {
            out[n++] = c;
            for (size_t i = n / 2; n == k && i-- > 0;)
                sift_down(out, i, n);
        } else if (is_better(c, out[0])) {
            out[0] = c;
            sift_down(out, 0, n);
        }
    }
    for (size_t i = n < k ? n / 2 : 0; i-- > 0;)
        sift_down(out, i, n);
    for (size_t last = n; last-- > 1;) { /* the worst goes last */
        guest_candidate worst = out[0];
        out[0] = out[last];
        out[last] = worst;
        sift_down(out, 0, last);
    }
    return n;
}

/* ---- the sampler ---- */

void guest_sampler_init(guest_sampler *s, const guest_sampling *settings)
{
    *s = (guest_sampler){.settings = *settings};
    guest_random_seed(s->state, settings->seed);
}

void guest_sampler_fini(guest_sampler *s)
{
    base_free(s->candidates);
    base_free(s->weights);
    s->candidates = NULL;
    s->weights = NULL;
}

void guest_sampler_accept(guest_sampler *s, uint32_t token)
{
    s->recent[s->recent_count++ % GUEST_PENALTY_WINDOW] = token;
}

bool guest_sampler_is_argmax(const guest_sampler *s)
{
    return (s->settings.temperature == 0 || s->settings.top_k == 1) && s->settings.penalty == 1;
}

static void penalize(const guest_sampler *s, float *logits, uint32_t count)
{
    uint32_t window = s->recent_count < GUEST_PENALTY_WINDOW ? s->recent_count : GUEST_PENALTY_WINDOW;
    float penalty = (float)s->settings.penalty;
    for (uint32_t i = 0; i < window; i++) {
        uint32_t id = s->recent[i];
        bool seen = id >= count;
        for (uint32_t j = 0; !seen && j < i; j++)
            seen = s->recent[j] == id;
        if (!seen) logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
}

static uint32_t argmax(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (logits[i] != logits[i] || (any && !(logits[i] > logits[best]))) continue;
        best = i;
        any = true;
    }
    return best;
}

static double weight_sum(const float *logits, uint32_t count, float most)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        if (logits[i] == logits[i]) sum += guest_exp((double)logits[i] - most);
    return sum;
}

/* How many of the sorted candidates it takes to hold top_p of `total`; n + 1: more than there are. */
static size_t nucleus(const guest_sampler *s, size_t n, double total)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += guest_exp((double)s->candidates[i].logit - s->candidates[0].logit);
        if (sum >= s->settings.top_p * total) return i + 1;
    }
    return n + 1;
}

/* Candidates after top-k and top-p, best first; only top-p alone must look for how many that are. */
static size_t select_sorted(guest_sampler *s, const float *logits, uint32_t count)
{
    uint32_t top_k = s->settings.top_k;
    bool all = top_k == 0 || top_k >= count, cut = s->settings.top_p < 1;
    double total = all && cut ? weight_sum(logits, count, logits[argmax(logits, count)]) : 0;
    for (size_t k = all && cut ? 128 : all ? count : top_k;; k *= 8) {
        if (k > count) k = count;
        if (!BASE_GROW(s->candidates, s->candidate_room, k)) return 0;
        size_t n = guest_largest(logits, count, s->candidates, k), kept = n;
        if (n == 0) return 0;
        if (!all && cut) {
            total = 0;
            for (size_t i = 0; i < n; i++)
                total += guest_exp((double)s->candidates[i].logit - s->candidates[0].logit);
        }
        if (cut) kept = nucleus(s, n, total);
        if (kept <= n) return kept;
        if (n < k || k == count || !all) return n; /* rounding kept the sum below top_p * total */
    }
}

static size_t select_all(guest_sampler *s, const float *logits, uint32_t count)
{
    size_t n = 0;
    if (!BASE_GROW(s->candidates, s->candidate_room, count)) return 0;
    for (uint32_t id = 0; id < count; id++)
        if (logits[id] == logits[id]) s->candidates[n++] = (guest_candidate){logits[id], id};
    return n;
}

/* min-p, then temperature, then the draw. */
static uint32_t draw(guest_sampler *s, size_t n)
{
    if (!BASE_GROW(s->weights, s->weight_room, n)) return GUEST_NO_TOKEN;
    float most = s->candidates[0].logit;
    for (size_t i = 1; i < n; i++)
        if (s->candidates[i].logit > most) most = s->candidates[i].logit;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        double below = s->candidates[i].logit == most ? 0 : (double)s->candidates[i].logit - most;
        bool kept = below == 0 || s->settings.min_p == 0 || guest_exp(below) >= s->settings.min_p;
        s->weights[i] = kept ? guest_exp(below / s->settings.temperature) : 0;
        total += s->weights[i];
    }
    double at = (double)(guest_random(s->state) >> 11) * 0x1p-53 * total;
    size_t chosen = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->weights[i] == 0) continue;
        chosen = i;
        if (at < s->weights[i]) break;
        at -= s->weights[i];
    }
    return s->candidates[chosen].id;
}

uint32_t guest_sampler_pick(guest_sampler *s, float *logits, uint32_t count)
{
    if (s->settings.penalty != 1) penalize(s, logits, count);
    uint32_t best = argmax(logits, count);
    if (s->settings.temperature == 0 || s->settings.top_k == 1 || logits[best] != logits[best]) return best;
    bool sorted = (s->settings.top_k && s->settings.top_k < count) || s->settings.top_p < 1;
    size_t n = sorted ? select_sorted(s, logits, count) : select_all(s, logits, count);
    return n ? draw(s, n) : GUEST_NO_TOKEN;
}
