/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

typedef int32_t mn_pair_function(const void *params, int32_t value1, int32_t value2);

/* The index of an element in a tensor that is repeated to the output's dimensions. */
static int32_t mn_index_in(const mn_dims *dims, int32_t n, int32_t h, int32_t w, int32_t c)
{
    n = dims->n == 1 ? 0 : n;
    h = dims->h == 1 ? 0 : h;
    w = dims->w == 1 ? 0 : w;
    c = dims->c == 1 ? 0 : c;
    return ((n * dims->h + h) * dims->w + w) * dims->c + c;
}

static void mn_reference_pairs(mn_pair_function *function, const void *params, int32_t bits,
                               const mn_dims *dims1, const void *input1, const mn_dims *dims2,
                               const void *input2, const mn_dims *dims, void *output)
{
    int32_t index = 0;
    for (int32_t n = 0; n < dims->n; ++n)
    {
        for (int32_t h = 0; h < dims->h; ++h)
        {
            for (int32_t w = 0; w < dims->w; ++w)
            {
                for (int32_t c = 0; c < dims->c; ++c, ++index)
                {
                    const int32_t value1 =
                        mn_reference_get(bits, input1, mn_index_in(dims1, n, h, w, c));
                    const int32_t value2 =
                        mn_reference_get(bits, input2, mn_index_in(dims2, n, h, w, c));
                    mn_reference_put(bits, output, index, function(params, value1, value2));
                }
            }
        }
    }
}

static int32_t mn_scaled(int32_t value, int32_t offset, int32_t left_shift, int32_t multiplier,
                         int32_t shift)
{
    return mn_reference_scale((value + offset) * (1 << left_shift), multiplier, shift);
}

static int32_t mn_sum_of(const mn_add_params *add, int32_t value1, int32_t value2, int32_t sign)
{
    const int32_t scaled1 = mn_scaled(value1, add->input1_offset, add->left_shift,
                                      add->input1_multiplier, add->input1_shift);
    const int32_t scaled2 = mn_scaled(value2, add->input2_offset, add->left_shift,
                                      add->input2_multiplier, add->input2_shift);
    const int32_t sum = mn_reference_scale(scaled1 + sign * scaled2, add->output_multiplier,
                                           add->output_shift);
    return mn_reference_limit(sum + add->output_offset, &add->activation);
}

static int32_t mn_add_pair(const void *params, int32_t value1, int32_t value2)
{
    return mn_sum_of(params, value1, value2, 1);
}

static int32_t mn_sub_pair(const void *params, int32_t value1, int32_t value2)
{
    return mn_sum_of(params, value1, value2, -1);
}

static int32_t mn_mul_pair(const void *params, int32_t value1, int32_t value2)
{
    const mn_mul_params *const mul = params;
    const int32_t product = (value1 + mul->input1_offset) * (value2 + mul->input2_offset);
    const int32_t scaled = mn_reference_scale(product, mul->multiplier, mul->shift);
    const int32_t shifted = (int32_t)((uint32_t)scaled + (uint32_t)mul->output_offset);
    return mn_reference_limit(shifted, &mul->activation);
}

static int32_t mn_maximum_pair(const void *params, int32_t value1, int32_t value2)
{
    (void)params;
    return value1 > value2 ? value1 : value2;
}

static int32_t mn_minimum_pair(const void *params, int32_t value1, int32_t value2)
{
    (void)params;
    return value1 < value2 ? value1 : value2;
}

void mn_reference_broadcast_add(int32_t bits, const mn_add_params *params, const mn_dims *dims1,
                                const void *input1, const mn_dims *dims2, const void *input2,
                                const mn_dims *dims, void *output)
{
    mn_reference_pairs(mn_add_pair, params, bits, dims1, input1, dims2, input2, dims, output);
}

void mn_reference_sub(int32_t bits, const mn_add_params *params, const mn_dims *dims1,
                      const void *input1, const mn_dims *dims2, const void *input2,
                      const mn_dims *dims, void *output)
{
    mn_reference_pairs(mn_sub_pair, params, bits, dims1, input1, dims2, input2, dims, output);
}

void mn_reference_mul(int32_t bits, const mn_mul_params *params, const mn_dims *dims1,
                      const void *input1, const mn_dims *dims2, const void *input2,
                      const mn_dims *dims, void *output)
{
    mn_reference_pairs(mn_mul_pair, params, bits, dims1, input1, dims2, input2, dims, output);
}

void mn_reference_maximum(int32_t bits, const mn_dims *dims1, const void *input1,
                          const mn_dims *dims2, const void *input2, const mn_dims *dims,
                          void *output)
{
    mn_reference_pairs(mn_maximum_pair, NULL, bits, dims1, input1, dims2, input2, dims, output);
}

void mn_reference_minimum(int32_t bits, const mn_dims *dims1, const void *input1,
                          const mn_dims *dims2, const void *input2, const mn_dims *dims,
                          void *output)
{
    mn_reference_pairs(mn_minimum_pair, NULL, bits, dims1, input1, dims2, input2, dims, output);
}
