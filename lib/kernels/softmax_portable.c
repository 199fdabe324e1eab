/* softmax_rows.h for any processor. */
#include <math.h>

#include "kernels/single.h"
#include "kernels/softmax.h"

#define GRAD_ROW_FUNCTION(name) grad_##name##_portable
#include "kernels/softmax_rows.h"
