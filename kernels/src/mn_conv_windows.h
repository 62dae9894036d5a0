/* SPDX-License-Identifier: Apache-2.0 */
/* Where the windows of a convolution lie: its output positions in their order, and which taps of a
 * window are inside the image. */
#ifndef MN_CONV_WINDOWS_H
#define MN_CONV_WINDOWS_H

#include "mn_convolution.h"

/* One output position: the input coordinates of its first tap, and the element there. */
typedef struct
{
    int32_t y;
    int32_t x;
    int32_t first;
} mn_position;

/* Output positions in their order. */
typedef struct
{
    mn_position next;
    int32_t line_first; /* of the first position in this row of outputs */
    int32_t image_first;
    int32_t columns_left;
    int32_t rows_left;
} mn_walk;

static mn_walk mn_start_walk(const mn_convolution *layer)
{
    const mn_tile padding = layer->params->padding;
    const mn_dims *const dims = layer->input_dims;
    const int32_t first = -(padding.h * dims->w + padding.w) * dims->c;
    const mn_walk walk = {{-padding.h, -padding.w, first}, first, first, layer->output_dims->w,
                          layer->output_dims->h};
    return walk;
}

static void mn_advance(mn_walk *walk, const mn_convolution *layer)
{
    const mn_conv_params *const params = layer->params;
    const mn_dims *const dims = layer->input_dims;
    mn_position *const next = &walk->next;
    if (--walk->columns_left > 0)
    {
        next->x += params->stride.w;
        next->first += params->stride.w * dims->c;
        return;
    }
    walk->columns_left = layer->output_dims->w;
    next->x = -params->padding.w;
    next->y += params->stride.h;
    walk->line_first += params->stride.h * dims->w * dims->c;
    if (--walk->rows_left == 0)
    {
        walk->rows_left = layer->output_dims->h;
        next->y = -params->padding.h;
        walk->image_first += dims->h * dims->w * dims->c;
        walk->line_first = walk->image_first;
    }
    next->first = walk->line_first;
}

/* Taps of a window, from `begin` to `end` along one axis. */
typedef struct
{
    int32_t begin;
    int32_t end;
} mn_taps;

/* Those inside an image of `size` where the first one is at `at`. */
static mn_taps mn_taps_inside(int32_t at, int32_t size, int32_t count, int32_t dilation)
{
    mn_taps taps = {0, count};
    if (at < 0)
    {
        taps.begin = (dilation - 1 - at) / dilation;
    }
    if (at + (count - 1) * dilation >= size)
    {
        taps.end = at < size ? (size - at + dilation - 1) / dilation : 0;
    }
    return taps;
}

#endif
