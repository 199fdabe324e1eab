"""Mutants of lib/model: what each kind of layer works out, and what is asked of a batch."""
from mutant import of

RUN = "test_run test_network test_network_forward test_options"
NETWORK = "test_network test_network_forward"

MUTANTS = [
    *of("lib/model/norms.c", NETWORK,
        ("batch_norm normalizes by sample", "->norm.over_samples;",
         "->norm.uncentred;"),
        ("running values are ignored", "if (is_inference(l))", "if (false)"),
        ("a norm's gain is its shift", ".gain = v->layer->gain.data,",
         ".gain = v->layer->shift.data,")),
    *of("lib/model/norms.c", RUN,
        ("the shift's delta is the gain's", "grad_sums_grid, grad_sums_run, GRAD_COST_NOTHING",
         "grad_sums_grid, gain_delta, GRAD_COST_NOTHING")),
    *of("lib/model/dense.c", RUN,
        ("a sample's bias delta is not scaled", "if (v->factor != 1)", "if (false)")),
    *of("lib/model/elements.c", RUN,
        ("an activation layer passes ∂L/∂y on", "grad_real_offset_const(v->type, v->dz, first)",
         "grad_real_offset_const(v->type, v->gy, first)")),
    *of("lib/model/slope.c", RUN,
        ("prelu's slope sees ∂L/∂z", "grad_real_offset_const(v->type, v->gy, row * N)",
         "grad_real_offset_const(v->type, v->dz, row * N)")),
    *of("lib/model/kinds.c", "integration/test_options.py",
        ("deltas of absent gains are answered",
         "(slot->delta_always || grad_layer_slot(layer, slot->slot)->data != NULL)", "true"),
        ("a layer without its weight has ∂L/∂x",
         "essential == NULL || grad_layer_slot(layer, essential->slot)->data != NULL", "true")),
    *of("lib/model/validate_loss.c", "test_run_loss",
        ("a mean over no class is computed", "grad_loss_divisor(&view) != 0", "true"),
        ("weights of 0 are told as ignored classes",
         "if (!grad_loss_ignores(l, s->type, grad_real_at(s->type, l->target.data, b)))",
         "if (false)"),
        ("targets may be anything", "if (expected != NULL)", "if (false)")),
    *of("lib/kernels/losses_elements.c", "test_network_errors test_run_loss",
        ("a target of binary_cross_entropy may be above 1", "return t >= 0 && t <= 1 ? NULL",
         "return t >= 0 ? NULL"),
        ("negative targets of kl_div are computed", "|| !(t < 0)", "|| true"),
        ("logarithms must not be negative", "!must_be_finite || is_logarithm", "!must_be_finite"),
        ("a rate may be negative", "is_logarithm || y + p[2] > 0", "true")),
]
