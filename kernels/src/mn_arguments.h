/* SPDX-License-Identifier: Apache-2.0 */
/* Argument checks shared by the kernels: no product or coordinate may leave int32. */
#ifndef MN_ARGUMENTS_H
#define MN_ARGUMENTS_H

#include <stddef.h>

#include "mn_types.h"

#define MN_MAX_BUFFER (INT32_MAX / 4)

/* The number of elements, or 0 unless all dimensions are positive and their product fits int32. */
static inline int32_t mn_product_of(const mn_dims *dims)
{
    int32_t elements;
    if (dims == NULL || (dims->n | dims->h | dims->w | dims->c) < 0 ||
        __builtin_mul_overflow(dims->n, dims->h, &elements) ||
        __builtin_mul_overflow(elements, dims->w, &elements) ||
        __builtin_mul_overflow(elements, dims->c, &elements))
    {
        return 0;
    }
    return elements;
}

/* The same, not inlined: copies of it are large. */
int32_t mn_count_elements(const mn_dims *dims);

static inline int mn_is_dims(const mn_dims *dims)
{
    return mn_count_elements(dims) > 0;
}

/* Whether a tensor of `bits` can hold the value. */
static inline int mn_is_value(int32_t value, int32_t bits)
{
    return ((uint32_t)value + (1u << (bits - 1))) >> bits == 0;
}

/* Minus a zero point. */
static inline int mn_is_input_offset(int32_t offset, int32_t bits)
{
    return ((uint32_t)offset + (1u << (bits - 1)) - 1u) >> bits == 0;
}

static inline int mn_is_activation(const mn_activation *activation, int32_t bits)
{
    return mn_is_value(activation->min, bits) && mn_is_value(activation->max, bits) &&
           activation->min <= activation->max;
}

/* The largest stride, padding and dilation. */
#define MN_MAX_STEP 65535

/* One axis of a sliding window: every coordinate the kernel computes fits int32. */
int mn_is_window(int32_t input, int32_t output, int32_t kernel, int32_t stride, int32_t padding,
                 int32_t dilation);

/* Scratch: present, large enough and aligned for words. */
static inline int mn_is_context(const mn_context *ctx, int32_t bytes)
{
    if (bytes == 0)
    {
        return 1;
    }
    return ctx != NULL && ctx->buf != NULL && ((uintptr_t)ctx->buf & 3u) == 0 &&
           ctx->size >= bytes;
}

#endif
