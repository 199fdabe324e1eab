/* What can be asked of any tensor. */
#include "core/size.h"
#include "gradient.h"

size_t grad_tensor_count(const grad_tensor *tensor)
{
    size_t count = 1;

    if (tensor->data == NULL)
        return 0;
    for (size_t axis = 0; axis < tensor->rank; axis++)
        if (!grad_size_mul(count, tensor->shape[axis], &count))
            return SIZE_MAX; /* no memory holds it: larger than any cap */
    return count;
}

size_t grad_datatype_size(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? sizeof(double) : sizeof(float);
}
