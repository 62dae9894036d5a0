/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

void mn_reference_pad(int32_t bits, int32_t value, const mn_dims *input_dims, const void *input,
                      const mn_dims *before, const mn_dims *after, void *output)
{
    const mn_dims dims = {before->n + input_dims->n + after->n, before->h + input_dims->h + after->h,
                          before->w + input_dims->w + after->w,
                          before->c + input_dims->c + after->c};
    for (int32_t index = 0; index < dims.n * dims.h * dims.w * dims.c; ++index)
    {
        const int32_t c = index % dims.c - before->c;
        const int32_t x = index / dims.c % dims.w - before->w;
        const int32_t y = index / dims.c / dims.w % dims.h - before->h;
        const int32_t n = index / dims.c / dims.w / dims.h - before->n;
        const int inside = c >= 0 && c < input_dims->c && x >= 0 && x < input_dims->w && y >= 0 &&
                           y < input_dims->h && n >= 0 && n < input_dims->n;
        const int32_t from = ((n * input_dims->h + y) * input_dims->w + x) * input_dims->c + c;
        mn_reference_put(bits, output, index,
                         inside ? mn_reference_get(bits, input, from) : value);
    }
}
