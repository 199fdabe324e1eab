/* Numbers whose datatype is known when the program runs: reading, writing and stepping through
 * arrays of float or double. For loops that work in double anyway; what has to be fast has a loop
 * for each datatype. */
#ifndef GRAD_CORE_REAL_H
#define GRAD_CORE_REAL_H

#include "gradient_core.h"

/* data[i] */
static inline double grad_real_at(grad_datatype type, const void *data, size_t i)
{
    return type == GRAD_FP64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* data[i] = value, rounded once */
static inline void grad_real_put(grad_datatype type, void *data, size_t i, double value)
{
    if (type == GRAD_FP64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

/* data + i */
static inline void *grad_real_offset(grad_datatype type, void *data, size_t i)
{
    return (char *)data + i * (type == GRAD_FP64 ? sizeof(double) : sizeof(float));
}

static inline const void *grad_real_offset_const(grad_datatype type, const void *data, size_t i)
{
    return (const char *)data + i * (type == GRAD_FP64 ? sizeof(double) : sizeof(float));
}

/* values[0 … count) = data[first … first + count) */
static inline void grad_real_read(grad_datatype type, const void *data, size_t first, size_t count,
                                  double *values)
{
    if (type == GRAD_FP64)
        for (size_t i = 0; i < count; i++)
            values[i] = ((const double *)data)[first + i];
    else
        for (size_t i = 0; i < count; i++)
            values[i] = (double)((const float *)data)[first + i];
}

/* data[first … first + count) = values[0 … count), each rounded once */
static inline void grad_real_write(grad_datatype type, size_t count, const double *values,
                                   void *data, size_t first)
{
    if (type == GRAD_FP64)
        for (size_t i = 0; i < count; i++)
            ((double *)data)[first + i] = values[i];
    else
        for (size_t i = 0; i < count; i++)
            ((float *)data)[first + i] = (float)values[i];
}

#endif
