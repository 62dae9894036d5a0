/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_pad.h"

#include "mn_arguments.h"

/* Not inlined: four copies of it would be large. */
static __attribute__((noinline)) int mn_is_pad_axis(int32_t size, int32_t before, int32_t after,
                                                    int64_t *elements)
{
    const int64_t padded = (int64_t)size + before + after;
    if (before < 0 || after < 0 || padded > INT32_MAX || *elements * padded > INT32_MAX)
    {
        return 0;
    }
    *elements *= padded;
    return 1;
}

int32_t mn_is_padding(const mn_dims *input_dims, const void *input, const mn_dims *before,
                      const mn_dims *after, const void *output)
{
    int64_t elements = 1;
    return mn_is_dims(input_dims) && input != NULL && output != NULL && before != NULL &&
           after != NULL && mn_is_pad_axis(input_dims->n, before->n, after->n, &elements) &&
           mn_is_pad_axis(input_dims->h, before->h, after->h, &elements) &&
           mn_is_pad_axis(input_dims->w, before->w, after->w, &elements) &&
           mn_is_pad_axis(input_dims->c, before->c, after->c, &elements);
}

void mn_run_padding(mn_copy *copy, mn_fill *fill, int32_t value, const mn_dims *input_dims,
                    const void *input, const mn_dims *before, const mn_dims *after, void *output)
{
    const int32_t channels = before->c + input_dims->c + after->c;
    const int32_t width = (before->w + input_dims->w + after->w) * channels;
    const int32_t height = (before->h + input_dims->h + after->h) * width;
    int32_t to = before->n * height;
    int32_t from = 0;
    fill(output, 0, value, to);
    for (int32_t image = 0; image < input_dims->n; ++image)
    {
        fill(output, to, value, before->h * width);
        to += before->h * width;
        for (int32_t y = 0; y < input_dims->h; ++y)
        {
            fill(output, to, value, before->w * channels);
            to += before->w * channels;
            for (int32_t x = 0; x < input_dims->w; ++x)
            {
                fill(output, to, value, before->c);
                copy(output, to + before->c, input, from, input_dims->c);
                fill(output, to + before->c + input_dims->c, value, after->c);
                to += channels;
                from += input_dims->c;
            }
            fill(output, to, value, after->w * channels);
            to += after->w * channels;
        }
        fill(output, to, value, after->h * width);
        to += after->h * width;
    }
    fill(output, to, value, after->n * height);
}
