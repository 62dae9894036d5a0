/* Argument checks shared by the kernels: no product or coordinate may leave int32. */
#ifndef MN_ARGUMENTS_H
#define MN_ARGUMENTS_H

#include <stddef.h>

#include "mn_types.h"

#define MN_MAX_ELEMENTS INT32_MAX
#define MN_MAX_BUFFER (INT32_MAX / 4)

static inline int mn_is_dims(const mn_dims *dims)
{
    if (dims == NULL || dims->n < 1 || dims->h < 1 || dims->w < 1 || dims->c < 1)
    {
        return 0;
    }
    int64_t elements = (int64_t)dims->n * dims->h;
    if (elements > MN_MAX_ELEMENTS)
    {
        return 0;
    }
    elements *= dims->w;
    if (elements > MN_MAX_ELEMENTS)
    {
        return 0;
    }
    return elements * dims->c <= MN_MAX_ELEMENTS;
}

static inline int32_t mn_elements(const mn_dims *dims)
{
    return dims->n * dims->h * dims->w * dims->c;
}

/* The range of a tensor's quantised values. */
static inline int32_t mn_lowest(int32_t bits)
{
    return -(1 << (bits - 1));
}

static inline int32_t mn_highest(int32_t bits)
{
    return (1 << (bits - 1)) - 1;
}

static inline int mn_is_value(int32_t value, int32_t bits)
{
    return value >= mn_lowest(bits) && value <= mn_highest(bits);
}

/* Minus a zero point. */
static inline int mn_is_input_offset(int32_t offset, int32_t bits)
{
    return offset >= -mn_highest(bits) && offset <= -mn_lowest(bits);
}

static inline int mn_is_activation(const mn_activation *activation, int32_t bits)
{
    return mn_is_value(activation->min, bits) && mn_is_value(activation->max, bits) &&
           activation->min <= activation->max;
}

/* One axis of a sliding window: every coordinate the kernel computes fits int32. */
static inline int mn_is_window(int32_t input, int32_t output, int32_t kernel, int32_t stride,
                               int32_t padding, int32_t dilation)
{
    if (stride < 1 || dilation < 1 || padding < 0)
    {
        return 0;
    }
    const int64_t last = (int64_t)(output - 1) * stride;
    const int64_t reach = (int64_t)(kernel - 1) * dilation;
    return last <= INT32_MAX && reach <= INT32_MAX && last + reach <= INT32_MAX &&
           (int64_t)input + padding <= INT32_MAX;
}

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
