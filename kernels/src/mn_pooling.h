/* SPDX-License-Identifier: Apache-2.0 */
/* The windows of average and max pooling. */
#ifndef MN_POOLING_H
#define MN_POOLING_H

#include "mn_packing.h"
#include "mn_types.h"

/* The part of a window inside the image: rows y .. y_end, columns x .. x_end of image `image`. */
typedef struct
{
    int32_t image;
    int32_t y;
    int32_t y_end;
    int32_t x;
    int32_t x_end;
} mn_window;

mn_window mn_window_at(const mn_pool_params *params, const mn_dims *input_dims,
                       const mn_dims *filter_dims, const mn_dims *output_dims, int32_t position);

/* Every window holds at least one element of the image, as TFLite demands. */
int32_t mn_is_pooling(const mn_pool_params *params, const mn_dims *input_dims, const void *input,
                      const mn_dims *filter_dims, const mn_dims *output_dims, const void *output,
                      int32_t bits);

/* The part of a window of int8 inside the image. */
typedef struct
{
    const int8_t *input; /* its first pixel */
    int32_t rows;
    int32_t columns;
    int32_t line; /* bytes from a row to the next */
    int32_t channels;
    uint32_t low; /* the activation's bounds, in each of four bytes */
    uint32_t high;
} mn_pool_s8;

/* One output position, channels ascending, at most four read before they are written. */
typedef void mn_pool_window(const mn_pool_s8 *window, int8_t *output);

void mn_run_pool_s8(mn_pool_window *pool, const mn_pool_params *params, const mn_dims *input_dims,
                    const int8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                    int8_t *output);

/* sum / count, half away from zero, as TFLite divides; `half` is count / 2. */
MN_INLINE int32_t mn_average(int32_t sum, int32_t half, int32_t count)
{
    return (sum > 0 ? sum + half : sum - half) / count;
}

#endif
