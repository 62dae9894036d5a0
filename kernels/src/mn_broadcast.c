/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_broadcast.h"

#include "mn_arguments.h"

static int mn_is_repeated(int32_t size, int32_t wanted)
{
    return size == 1 || size == wanted;
}

static int mn_repeats_to(const mn_dims *dims, const mn_dims *output)
{
    return mn_is_dims(dims) && mn_is_repeated(dims->n, output->n) &&
           mn_is_repeated(dims->h, output->h) && mn_is_repeated(dims->w, output->w) &&
           mn_is_repeated(dims->c, output->c);
}

int32_t mn_is_broadcast(const mn_dims *input1_dims, const void *input1, const mn_dims *input2_dims,
                        const void *input2, const mn_dims *output_dims, const void *output)
{
    return input1 != NULL && input2 != NULL && output != NULL && mn_is_dims(output_dims) &&
           mn_repeats_to(input1_dims, output_dims) && mn_repeats_to(input2_dims, output_dims);
}

/* Elements from one index of a dimension to the next: 0 where the tensor is repeated. */
static mn_dims mn_steps(const mn_dims *dims)
{
    const mn_dims steps = {dims->n == 1 ? 0 : dims->h * dims->w * dims->c,
                           dims->h == 1 ? 0 : dims->w * dims->c, dims->w == 1 ? 0 : dims->c,
                           dims->c == 1 ? 0 : 1};
    return steps;
}

/* 1 for a tensor of the output's size, 0 for a single value, -1 for any other. */
static int32_t mn_flat_step(const mn_dims *dims, int32_t elements)
{
    const int32_t count = mn_count_elements(dims);
    return count == elements ? 1 : count == 1 ? 0 : -1;
}

void mn_run_broadcast(mn_binary_run *run, const void *params, const mn_dims *input1_dims,
                      const int8_t *input1, const mn_dims *input2_dims, const int8_t *input2,
                      const mn_dims *output_dims, int8_t *output)
{
    const int32_t elements = mn_count_elements(output_dims);
    const int32_t flat1 = mn_flat_step(input1_dims, elements);
    const int32_t flat2 = mn_flat_step(input2_dims, elements);
    if ((flat1 | flat2) >= 0)
    {
        run(params, input1, flat1, input2, flat2, output, elements);
        return;
    }
    const mn_dims first = mn_steps(input1_dims);
    const mn_dims second = mn_steps(input2_dims);
    const int32_t channels = output_dims->c;
    for (int32_t n = 0; n < output_dims->n; ++n)
    {
        for (int32_t h = 0; h < output_dims->h; ++h)
        {
            const int8_t *value1 = input1 + n * first.n + h * first.h;
            const int8_t *value2 = input2 + n * second.n + h * second.h;
            for (int32_t w = 0; w < output_dims->w; ++w, output += channels)
            {
                run(params, value1, first.c, value2, second.c, output, channels);
                value1 += first.w;
                value2 += second.w;
            }
        }
    }
}
