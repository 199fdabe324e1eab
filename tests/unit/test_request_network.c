/* What a request for a whole network may say, and a check of one: losses, residual connections, the
 * client's own deltas, and the errors of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/refusals.h"

#define LAYERS "\"layers\":[{\"activation\":\"relu\"}]"
#define LOSS(members) "{\"loss\":{" members "}," LAYERS "}"
#define LAYER(members) "{\"grad_output\":[1],\"layers\":[{\"activation\":\"relu\"," members "}]}"
#define TWO(first, second)                                                                         \
    "{\"layers\":[{\"activation\":\"relu\"," first "},{\"activation\":\"relu\"," second            \
    "}],\"grad_output\":[1]}"

static const refusal networks[] = {
    {"@{" LAYERS "}", GRAD_INVALID, "missing_field", "",
     "a field \"loss\" or \"grad_output\", found neither"},
    {"{\"loss\":{\"name\":\"mse\",\"target\":[1]},\"grad_output\":@[1]," LAYERS "}", GRAD_INVALID,
     "unsupported_value", "/grad_output", "either \"loss\" or \"grad_output\", found both"},
    {LAYER("\"grad_output\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/grad_output",
     "it belongs at the top level, beside the layers"},
    {LAYER("\"weight_delta\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/weight_delta",
     "it belongs to a check"},
    {"{\"input\":@3,\"grad_output\":1," LAYERS "}", GRAD_INVALID, "unexpected_type", "/input",
     "=expected an array of numbers or an object, found a number; a tensor of one is [5], in a "
     "batch "
     "of one [[5]]"},
    {"{\"outputs\":[@\"prediction\"],\"grad_output\":[1]," LAYERS "}", GRAD_INVALID,
     "unsupported_value", "/outputs/0", "or \"predictions\", found \"prediction\""},
    {"{\"grad_input\":@[1],\"grad_output\":[1]," LAYERS "}", GRAD_INVALID, "unknown_field",
     "/grad_input", "it belongs to a check"},
};

static const refusal losses[] = {
    {"{\"loss\":@\"mse\"," LAYERS "}", GRAD_INVALID, "unexpected_type", "/loss",
     "an object with the name of a loss, found a string"},
    {"{\"loss\":@{\"target\":[1]}," LAYERS "}", GRAD_INVALID, "missing_field", "/loss", "\"name\""},
    {"{\"loss\":@{\"name\":\"mse\"}," LAYERS "}", GRAD_INVALID, "missing_field", "/loss",
     "\"target\""},
    {LOSS("\"name\":@3"), GRAD_INVALID, "unexpected_type", "/loss/name", "the name of a loss"},
    {LOSS("\"name\":@\"cros_entropy\""), GRAD_INVALID, "unknown_name", "/loss/name",
     "did you mean \"cross_entropy\"?"},
    {LOSS("\"name\":@\"contrastive\""), GRAD_INVALID, "unknown_name", "/loss/name",
     "unknown loss \"contrastive\", expected one of mse, l1, smooth_l1"},
    {LOSS("\"name\":\"mse\",\"reduction\":@\"avg\""), GRAD_INVALID, "unsupported_value",
     "/loss/reduction", "\"mean\" or \"sum\" or \"none\" or \"batchmean\", found \"avg\""},
    {LOSS("\"name\":\"mse\",\"beta\":@1"), GRAD_INVALID, "unknown_field", "/loss/beta",
     "expected one of name, target, reduction, sample_weight"},
    {LOSS("\"name\":\"huber\",\"dleta\":@1"), GRAD_INVALID, "unknown_field", "/loss/dleta",
     "did you mean \"delta\"?"},
    {LOSS("\"name\":\"mse\",\"variance\":@[1]"), GRAD_INVALID, "unknown_field", "/loss/variance",
     "it belongs to other losses"},
    {LOSS("\"name\":\"huber\",\"delta\":@true"), GRAD_INVALID, "unexpected_type", "/loss/delta",
     "a number, found true"},
    {LOSS("\"name\":\"kl_div\",\"log_target\":@1"), GRAD_INVALID, "unexpected_type",
     "/loss/log_target", "true or false, found a number"},
    {LOSS("\"name\":\"nll\",\"ignore_index\":@0.5"), GRAD_INVALID, "unsupported_value",
     "/loss/ignore_index", "an integer, found 0.5"},
    {LOSS("\"name\":\"nll\",\"ignore_index\":@\"0\""), GRAD_INVALID, "unexpected_type",
     "/loss/ignore_index", "an integer, found the string \"0\"; numbers stand without quotes"},
    {LOSS("\"name\":\"nll\",\"target\":@[]"), GRAD_INVALID, "empty_tensor", "/loss/target", "one"},
};

static const refusal residuals[] = {
    {TWO("\"name\":\"fc1\"", "\"residual\":@\"fc2\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"fc2\", expected one of fc1, input"},
    {TWO("\"name\":\"a\"", "\"residual\":@\"c\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"c\", expected one of a, input"},
    {TWO("\"name\":\"ab\"", "\"residual\":@\"cd\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"cd\", expected one of ab, input"},
    {TWO("\"name\":\"ab\"", "\"residual\":@\"ac\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"ac\", expected one of ab, input"},
    {TWO("\"name\":\"encoder1\"", "\"residual\":@\"encoder2\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"encoder2\", expected one of encoder1, input"},
    {TWO("\"name\":\"encoder\"", "\"residual\":@\"encodr\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"encodr\", did you mean \"encoder\"?"},
    {TWO("\"name\":\"a long name\"", "\"residual\":@\"fc2\""), GRAD_INVALID, "unknown_name",
     "/layers/1/residual", "unknown earlier layer \"fc2\", expected one of a long name, input"},
    {TWO("\"residual\":@\"later\"", "\"name\":\"later\""), GRAD_INVALID, "unknown_name",
     "/layers/0/residual", "expected an earlier layer, found \"later\" of layers/1, a later one"},
    {TWO("\"name\":\"a long name\"", "\"residual\":@\"later\",\"name\":\"here\""), GRAD_INVALID,
     "unknown_name", "/layers/1/residual",
     "unknown earlier layer \"later\", expected one of a long name, input"},
    {TWO("\"residual\":@\"nowhere\"", "\"name\":\"fc2\""), GRAD_INVALID, "unknown_name",
     "/layers/0/residual", "unknown earlier layer \"nowhere\", expected input"},
    {TWO("\"x\":@1", "\"name\":\"later\""), GRAD_INVALID, "unknown_field", "/layers/0/x", ""},
    {TWO("\"name\":\"same\"", "\"name\":\"same\",\"residual\":@1"), GRAD_INVALID, "unexpected_type",
     "/layers/1/residual", "the name of a layer"},
    {LAYER("\"name\":\"self\",\"residual\":@\"self\""), GRAD_INVALID, "unknown_name",
     "/layers/0/residual", "expected an earlier layer, found \"self\", the layer itself"},
    {"{\"grad_output\":[1],\"layers\":[{\"activation\":\"relu\",\"name\":\"a\"},"
     "{\"activation\":\"relu\",\"name\":\"a\"},{\"activation\":\"relu\",\"residual\":@\"a\"}]}",
     GRAD_INVALID, "unsupported_value", "/layers/2/residual", "found \"a\" of layers 0 and 1"},
};

static const refusal checks[] = {
    {"{\"check\":@1," LAYERS "}", GRAD_INVALID, "unexpected_type", "/check", "an object"},
    {"{\"check\":{\"samples\":@0}," LAYERS "}", GRAD_INVALID, "bad_parameter", "/check/samples",
     "at least 1"},
    {"{\"check\":{\"samples\":@1.5}," LAYERS "}", GRAD_INVALID, "unsupported_value",
     "/check/samples", "an integer"},
    {"{\"check\":{\"seed\":@-1}," LAYERS "}", GRAD_INVALID, "unsupported_value", "/check/seed",
     "not negative"},
    {"{\"check\":{\"tolerance\":@0}," LAYERS "}", GRAD_INVALID, "bad_parameter", "/check/tolerance",
     "above 0"},
    {"{\"check\":{\"tolerence\":@1}," LAYERS "}", GRAD_INVALID, "unknown_field", "/check/tolerence",
     "did you mean \"tolerance\"?"},
    {"{\"grad_input\":@[1]," LAYERS "}", GRAD_INVALID, "unknown_field", "/grad_input",
     "it belongs to a network"},
    {"{\"layers\":[{\"activation\":\"relu\",\"residual\":@\"input\"}]}", GRAD_INVALID,
     "unknown_field", "/layers/0/residual", "it belongs to a network"},
    {LAYER("\"grad_input\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/grad_input",
     "it belongs at the top level"},
    {LAYER("\"gain_delta\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/gain_delta",
     "it belongs to layers of type layer_norm"},
    {"@{\"input\":[1]," LAYERS "}", GRAD_INVALID, "missing_field", "", "\"loss\""},
    {LAYER("\"weight\":[1,@-1e309]"), GRAD_INVALID, "number_out_of_range", "/layers/0/weight/1",
     "within float64's range, found -1e309"},
    {LAYER("\"weight\":{\"datatype\":@\"FP32\"}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/weight/datatype", "expected \"FP64\""},
    {LAYER("\"weight\":{\"sh\\u0061pe\":[@1.5],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/weight/shape/0", "found 1.5"},
};

REFUSES(networks, WIRE_BACKPROP, GRAD_FP32)
REFUSES(losses, WIRE_BACKPROP, GRAD_FP64)
REFUSES(residuals, WIRE_BACKPROP, GRAD_FP32)
REFUSES(checks, WIRE_CHECK, GRAD_FP64)

static wire_outcome decode(wire_kind kind, grad_datatype datatype, const char *text)
{
    wire_outcome o = wire_decode_as((wire_form){kind, datatype}, text, strlen(text), 0, NULL);

    if (o.status != GRAD_OK)
        fail_msg("%s: %s", text, o.error.detail);
    return o;
}

static void test_loss(void **unused)
{
    static const char text[] =
        "{\"input\":[[1,2]],\"layers\":[{\"activation\":\"relu\",\"name\":\"a\"},"
        "{\"activation\":\"softmax\",\"residual\":\"a\",\"name\":\"input\"},"
        "{\"activation\":\"tanh\",\"residual\":\"input\"}],\"outputs\":[\"predictions\"],"
        "\"loss\":{\"ignore_index\":-1,\"class_weight\":[3,4],\"name\":\"cross_entropy\","
        "\"sample_weight\":[5],\"label_smoothing\":0.1,\"target\":[1],\"reduction\":\"none\"}}";
    wire_outcome o = decode(WIRE_BACKPROP, GRAD_FP32, text);
    const grad_network *network = o.batch->network;

    (void)unused;
    assert_non_null(network);
    assert_int_equal(network->input.rank, 2);
    assert_null(network->grad_output.data);
    assert_int_equal(network->loss.kind, GRAD_CROSS_ENTROPY);
    assert_int_equal(network->loss.reduction, GRAD_LOSS_NONE);
    assert_true(network->loss.parameters[0] == 0.1 && network->loss.parameters[1] == -1);
    assert_true(*(float *)network->loss.class_weight.data == 3);
    assert_true(*(float *)network->loss.sample_weight.data == 5);
    assert_int_equal(network->loss.target.shape[0], 1);
    assert_int_equal(o.batch->outputs, GRAD_OUTPUT_PREDICTIONS);
    assert_int_equal(o.batch->layers[0].residual, GRAD_RESIDUAL_NONE);
    assert_int_equal(o.batch->layers[1].residual, GRAD_RESIDUAL_OF(0));
    assert_int_equal(o.batch->layers[2].residual, GRAD_RESIDUAL_OF(1)); /* its name is input */
    grad_decoder_destroy(o.decoder);
}

static void test_flags_and_defaults(void **unused)
{
    wire_outcome o = decode(
        WIRE_BACKPROP, GRAD_FP64,
        "{\"layers\":[{\"activation\":{\"name\":\"elu\",\"alpha\":1e39},\"residual\":\"input\"}],"
        "\"loss\":"
        "{\"name\":\"poisson_nll\",\"log_input\":false,\"full\":true,\"target\":[0.1]}}");
    const grad_loss *loss = &o.batch->network->loss;

    (void)unused;
    assert_int_equal(loss->reduction, GRAD_LOSS_MEAN);
    assert_true(loss->parameters[0] == 0 && loss->parameters[1] == 1);
    assert_true(loss->parameters[2] == 1e-8);
    assert_true(*(double *)loss->target.data == 0.1); /* not 0.1f */
    assert_int_equal(o.batch->datatype, GRAD_FP64);
    assert_null(o.batch->network->input.data);
    assert_int_equal(o.batch->layers[0].residual, GRAD_RESIDUAL_INPUT);
    assert_true(o.batch->layers[0].activation.parameters[0] == 1e39); /* beyond float32 */
    grad_decoder_destroy(o.decoder);
}

/* Every loss by its name, with each of its parameters and tensors. */
static void test_every_loss(void **unused)
{
    (void)unused;
    for (size_t i = GRAD_LOSS_ABSENT + 1; i < GRAD_LOSS_COUNT; i++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)i);
        grad_text text;
        wire_outcome o;

        grad_text_init(&text, 10000);
        grad_text_printf(&text, "{" LAYERS ",\"loss\":{\"name\":\"%s\",\"target\":[1]%s%s%s%s",
                         info->name,
                         (info->tensors & GRAD_LOSS_CLASS_WEIGHT) ? ",\"class_weight\":[2]" : "",
                         (info->tensors & GRAD_LOSS_POS_WEIGHT) ? ",\"pos_weight\":[3]" : "",
                         (info->tensors & GRAD_LOSS_VARIANCE) ? ",\"variance\":[4]" : "",
                         (info->tensors & GRAD_LOSS_OTHER) ? ",\"other\":[5]" : "");
        for (size_t k = 0; k < info->parameter_count; k++)
            grad_text_printf(&text, ",\"%s\":%s", info->parameters[k].name,
                             info->parameters[k].domain == GRAD_FLAG ? "true" : "7");
        grad_text_printf(&text, "}}");
        o = decode(WIRE_BACKPROP, GRAD_FP32, text.data);
        assert_int_equal(o.batch->network->loss.kind, i);
        for (size_t k = 0; k < info->parameter_count; k++)
            assert_true(o.batch->network->loss.parameters[k] ==
                        (info->parameters[k].domain == GRAD_FLAG ? 1 : 7));
        assert_null(
            wire_oracle_check((wire_form){WIRE_BACKPROP, GRAD_FP32}, text.data, text.length));
        grad_decoder_destroy(o.decoder);
        grad_text_free(&text);
    }
}

static void test_check_of_layers(void **unused)
{
    wire_outcome o =
        decode(WIRE_CHECK, GRAD_FP64,
               "{\"layers\":[{\"activation\":\"relu\",\"input\":[1],\"weight_delta\":[[2]],"
               "\"bias_delta\":[3],\"grad_input\":[4],\"slope_delta\":[5]},"
               "{\"type\":\"layer_norm\",\"gain_delta\":[6],\"shift_delta\":[7]}],"
               "\"check\":{\"samples\":100,\"seed\":9007199254740991,\"tolerance\":1e-3}}");

    (void)unused;
    assert_null(o.batch->network);
    assert_ptr_equal(o.check->batch, o.batch);
    assert_false(o.batch->overwrite_grad_output);
    assert_int_equal(o.check->options->samples, 100);
    assert_int_equal(o.check->options->seed, 9007199254740991);
    assert_true(o.check->options->tolerance == 1e-3);
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++) {
        const grad_layer_result *claims = &o.check->claims[i < GRAD_GAIN_DELTA ? 0 : 1];
        const grad_tensor *claim = grad_layer_result_tensor(claims, (grad_output_kind)i);

        assert_true(*(double *)claim->data == (double)i + 2);
    }
    assert_null(o.check->claims[1].weight_delta.data);
    grad_decoder_destroy(o.decoder);
}

static void test_check_of_a_network(void **unused)
{
    wire_outcome o = decode(WIRE_CHECK, GRAD_FP32,
                            "{\"grad_input\":[[5]],\"layers\":[{\"activation\":\"relu\"}],"
                            "\"grad_output\":[2]}");

    (void)unused;
    assert_non_null(o.batch->network);
    assert_true(*(float *)o.check->claimed_grad_input.data == 5);
    assert_true(*(float *)o.batch->network->grad_output.data == 2);
    assert_int_equal(o.check->options->samples, 0);
    assert_int_equal(o.check->options->seed, 0);
    assert_true(o.check->options->tolerance == 0);
    grad_decoder_destroy(o.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_flags_and_defaults),
        cmocka_unit_test(test_every_loss),
        cmocka_unit_test(test_check_of_layers),
        cmocka_unit_test(test_check_of_a_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
