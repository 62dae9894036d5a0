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

/* sum / count, half away from zero, as TFLite divides. */
MN_INLINE int32_t mn_average(int32_t sum, int32_t count)
{
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

#endif
