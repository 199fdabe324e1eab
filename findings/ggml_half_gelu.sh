#!/bin/sh
# ggml: gelu on a CPU comes from a table of half floats, input and output; relu of NaN is 0
# Version 0.27.0 (Debian testing: libggml-dev), x86-64.
# One would guess: ggml_gelu of a tensor of float32 is right to float32, as ggml_silu is.
# Seen: between -10 and 10 gelu and gelu_quick round their input to a half float, and tell a half
# float: gelu(0.1) is 0.05395508 where its formula (with tanh) gives 0.05398275, an error of 5e-4,
# and gelu(9.9) is 9.898438; from 10 on it is the number itself. gelu_erf, silu, sigmoid and tanh
# are right to 2e-6, but for gelu_erf far below 0: -0 at -9.9, where it is -2.1e-22.
# relu, step and sgn of NaN are 0, gelu_quick, gelu_erf and silu of -infinity are NaN (gelu: 0), and
# rms_norm of 1e20 2e20 3e20 -1e20 is 0, as the sum of their squares is infinite.
# So a check of gradients by differences of such a forward pass sees steps of 2^-11: it needs
# gelu_erf there, and gelu ("erf") here.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libggml-dev 0.27.0
cat >apply.c <<'C'
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>

typedef struct ggml_tensor *function(struct ggml_context *, struct ggml_tensor *);

static ggml_backend_t cpu;

static void apply(const char *name, function *f, size_t count, const float *x)
{
    const struct ggml_init_params room = {.mem_size = 1 << 20, .no_alloc = true};
    struct ggml_context *context = ggml_init(room);
    struct ggml_tensor *input = ggml_new_tensor_1d(context, GGML_TYPE_F32, (int64_t)count);
    struct ggml_tensor *output = f(context, input);
    struct ggml_cgraph *graph = ggml_new_graph(context);
    ggml_backend_buffer_t memory = ggml_backend_alloc_ctx_tensors(context, cpu);
    float y[8];

    ggml_build_forward_expand(graph, output);
    ggml_backend_tensor_set(input, x, 0, count * sizeof *x);
    ggml_backend_graph_compute(cpu, graph);
    ggml_backend_tensor_get(output, y, 0, count * sizeof *y);
    printf("%s", name);
    for (size_t i = 0; i < count; i++)
        isnan(y[i]) ? printf(" nan") : printf(" %.5g", (double)y[i]);
    printf("\n");
    ggml_backend_buffer_free(memory);
    ggml_free(context);
}

static struct ggml_tensor *rms_norm(struct ggml_context *context, struct ggml_tensor *x)
{
    return ggml_rms_norm(context, x, 1e-5f);
}

int main(void)
{
    static const float finite[] = {0.1f, 1, 9.9f, 20, -9.9f};
    static const float others[] = {NAN, -INFINITY}, large[] = {1e20f, 2e20f, 3e20f, -1e20f};

    ggml_backend_load_all();
    cpu = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, NULL);
    if (cpu == NULL)
        return 1;
    apply("gelu", ggml_gelu, 5, finite);
    apply("gelu_quick", ggml_gelu_quick, 5, finite);
    apply("gelu_erf", ggml_gelu_erf, 5, finite);
    apply("silu", ggml_silu, 5, finite);
    apply("relu", ggml_relu, 2, others);
    apply("gelu", ggml_gelu, 2, others);
    apply("gelu_erf", ggml_gelu_erf, 2, others);
    apply("silu", ggml_silu, 2, others);
    apply("rms_norm", rms_norm, 4, large);
    return 0;
}
C
compile apply -O1 -lggml -lggml-base -lm
verdict 'gelu 0.053955 0.84131 9.8984 20 -0
gelu_quick 0.05423 0.8457 9.8984 20 -4.7684e-07
gelu_erf 0.053983 0.84134 9.9 20 -0
silu 0.052498 0.73106 9.8995 20 -0.0004967
relu 0 0
gelu nan 0
gelu_erf nan nan
silu nan nan
rms_norm 0 0 0 -0' "$(./apply 2>apply.log)" \
    'ggml 0.27.0: gelu(0.1) is 0.053955, gelu_erf(0.1) 0.053983, relu(NaN) 0'
