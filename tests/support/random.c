/* Random numbers for tests. Not for secrets, and with a bias too small to see in a test. */
#include "support/random.h"

uint64_t random_bits(random_state *random)
{
    uint64_t bits = random->state += 0x9E3779B97F4A7C15u;

    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}

size_t random_below(random_state *random, size_t bound)
{
    return (size_t)(random_bits(random) % bound);
}

double random_signed(random_state *random)
{
    return (double)(int64_t)(random_bits(random) >> 11) * 0x1p-52 - 1;
}

void random_fill(random_state *random, size_t count, float size, float *x)
{
    for (size_t i = 0; i < count; i++)
        x[i] = size * (float)random_signed(random);
}

void random_permutation(random_state *random, size_t count, size_t *order)
{
    for (size_t i = 0; i < count; i++) {
        size_t other = random_below(random, i + 1);

        order[i] = order[other];
        order[other] = i;
    }
}
