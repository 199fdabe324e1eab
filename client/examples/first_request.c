/* The smallest client, as docs/client.md shows it: one layer, one sample, the deltas. */
#include <gradient_client.h>
#include <stdio.h>

int main(void)
{
    float x[] = {1, 2, 3}, z[] = {0.5F, -1}, dy[] = {1, 10}; /* one sample, K = 3, N = 2 */
    grad_layer layer = {.activation = grad_activation_default(GRAD_RELU),
                        .input = {x, 1, {3}},
                        .pre_activation = {z, 1, {2}},
                        .grad_output = {dy, 1, {2}}};
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    float dW[6], db[2];
    grad_layer_result result = {.weight_delta = {dW, 2, {2, 3}}, .bias_delta = {db, 1, {2}}};
    gradient_client *client = NULL;
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    if (gradient_client_open("http://127.0.0.1:8080", NULL, &client, &error) ||
        gradient_client_compute_into(client, &batch, &result, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    printf("dW[0] = %g %g %g, db = %g %g\n", dW[0], dW[1], dW[2], db[0], db[1]);
    gradient_client_close(client);
    return 0;
}
