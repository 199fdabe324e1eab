/* Problems of the norms for tests. What the right answers are does not live here. */
#include "support/norm_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "core/real.h"
#include "support/reals.h"

static void widen(grad_datatype type, size_t count, const void *x, long double *wide)
{
    for (size_t i = 0; i < count; i++)
        wide[i] = grad_real_at(type, x, i);
}

bool norm_form_is_by_sample(norm_form form)
{
    return form == BY_SAMPLE || form == BY_GROUP || form == UNCENTRED;
}

void norm_problem_take_moments(norm_problem *p, norm_form form)
{
    grad_norm *n = &p->norm;

    free(p->moments);
    n->moments = p->moments = calloc(n->by_sample ? n->B * n->groups : n->N, sizeof *p->moments);
    assert_non_null(p->moments);
    if (n->by_sample)
        grad_sample_norm_moments(n, p->epsilon, 0, n->B, p->moments);
    else if (form == BY_FEATURE)
        grad_batch_norm_moments(n->type, n->B, n->N, p->x, p->epsilon, 0, n->N, p->moments);
    else
        grad_running_moments(n->type, n->N, p->mean, p->variance, p->epsilon, p->moments);
}

/* The twin's copies, and the kernels' moments. */
static void finish(norm_problem *p, norm_form form)
{
    grad_norm *n = &p->norm;

    widen(n->type, n->B * n->N, p->x, p->wide[0]);
    widen(n->type, n->B * n->N, p->dz, p->wide[1]);
    for (size_t i = 0; i < n->N; i++) {
        p->wide[2][i] = n->gain == NULL ? 1 : (long double)grad_real_at(n->type, p->gain, i);
        p->wide[3][i] = n->shift == NULL ? 0 : (long double)grad_real_at(n->type, p->shift, i);
    }
    widen(n->type, n->N, p->mean, p->wide[4]);
    widen(n->type, n->N, p->variance, p->wide[5]);
    p->twin = (norm_twin){.B = n->B,
                          .N = n->N,
                          .by_sample = n->by_sample,
                          .groups = n->groups,
                          .is_uncentred = n->is_uncentred,
                          .mean = form == RUNNING ? p->wide[4] : NULL,
                          .variance = form == RUNNING ? p->wide[5] : NULL,
                          .gain = p->wide[2],
                          .shift = p->wide[3],
                          .epsilon = p->epsilon,
                          .x = p->wide[0]};
    norm_problem_take_moments(p, form);
}

norm_problem *norm_problem_new(grad_datatype type, norm_form form, size_t B, size_t N,
                               double offset, double size, bool has_gain)
{
    random_state random = {B * 1000 + N};
    norm_problem *p = calloc(1, sizeof *p);

    assert_non_null(p);
    assert_true(B * N <= NORM_PROBLEM_MOST);
    p->x = reals_random(&random, type, B * N, size);
    for (size_t i = 0; i < B * N; i++)
        grad_real_put(type, p->x, i, offset + grad_real_at(type, p->x, i));
    p->dz = reals_random(&random, type, B * N, 1);
    p->gain = reals_random(&random, type, N, 2);
    p->shift = reals_random(&random, type, N, 3);
    p->mean = reals_random(&random, type, N, size);
    p->variance = reals_random(&random, type, N, size * size);
    for (size_t i = 0; i < N; i++)
        grad_real_put(type, p->variance, i, fabs(grad_real_at(type, p->variance, i)));
    p->epsilon = 1e-5;
    p->norm = (grad_norm){.type = type,
                          .B = B,
                          .N = N,
                          .by_sample = norm_form_is_by_sample(form),
                          .groups = form == BY_GROUP ? norm_twin_groups(N) : 1,
                          .is_uncentred = form == UNCENTRED,
                          .moments_depend_on_x = form != RUNNING,
                          .gain = has_gain ? p->gain : NULL,
                          .shift = has_gain ? p->shift : NULL,
                          .x = p->x};
    finish(p, form);
    return p;
}

void norm_problem_free(norm_problem *p)
{
    free(p->x);
    free(p->dz);
    free(p->gain);
    free(p->shift);
    free(p->mean);
    free(p->variance);
    free(p->moments);
    free(p);
}
