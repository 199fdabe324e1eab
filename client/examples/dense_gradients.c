/* The simple entry of the library, as gradient.h opens with it: one dense layer, no daemon. */
#include <gradient.h>
#include <stdio.h>

int main(void)
{
    float x[] = {1, 2, 3};               // one sample of 3 inputs
    float W[] = {1, 0, 0, 0, 1, 0};      // 2 outputs: a row each
    float b[] = {0, -3}, dy[] = {1, 10}; // dy is the loss's gradient by the outputs
    float dW[6], db[2];
    grad_error error = GRAD_ERROR_INIT;
    if (grad_dense_gradients(1, 3, 2, "relu", x, W, b, dy, dW, db, NULL, &error))
        return fprintf(stderr, "%s\n", error.detail), 1;
    printf("dW[0] = %g %g %g, db = %g %g\n", dW[0], dW[1], dW[2], db[0], db[1]);
    return 0; // dW[0] = 1 2 3, db = 1 0
}
