/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise addition of one element, and its argument checks. */
#ifndef MN_ADD_H
#define MN_ADD_H

#include "mn_requantize.h"
#include "mn_types.h"

int32_t mn_is_addition(const mn_add_params *params, const void *input1, const void *input2,
                       const void *output, int32_t count, int32_t bits);

/* A multiplication as mn_requantize with a shift <= 0, for |value| < 2^30. */
typedef struct
{
    int32_t multiplier;
    int32_t right;
    int32_t rounding; /* half of 2^right, 0 for 2^0 */
    int32_t negative; /* all ones where a negative value takes one less */
} mn_scaling;

MN_INLINE mn_scaling mn_make_scaling(int32_t multiplier, int32_t shift)
{
    const mn_scaling scaling = {multiplier, -shift, (int32_t)((1u << -shift) >> 1),
                                shift < 0 ? -1 : 0};
    return scaling;
}

/* `doubled` is twice the value. */
MN_INLINE int32_t mn_scale(int32_t doubled, const mn_scaling *scaling)
{
    const int32_t high = mn_smmulr(doubled, scaling->multiplier);
    const int32_t sign = high < 0 ? scaling->negative : 0;
    return mn_asr(high + scaling->rounding + sign, scaling->right);
}

typedef struct
{
    mn_scaling input1;
    mn_scaling input2;
    mn_scaling output;
    const mn_add_params *params;
} mn_adder;

MN_INLINE mn_adder mn_make_adder(const mn_add_params *params)
{
    const mn_adder adder = {mn_make_scaling(params->input1_multiplier, params->input1_shift),
                            mn_make_scaling(params->input2_multiplier, params->input2_shift),
                            mn_make_scaling(params->output_multiplier, params->output_shift),
                            params};
    return adder;
}

/* A value of the first or second input on the scale of the sum. */
MN_INLINE int32_t mn_scale_input(const mn_adder *adder, int32_t value, int32_t offset,
                                 const mn_scaling *scaling)
{
    return mn_scale((value + offset) * (2 << adder->params->left_shift), scaling);
}

MN_INLINE int32_t mn_finish_sum(const mn_adder *adder, int32_t sum)
{
    const mn_add_params *const params = adder->params;
    return mn_clamp(mn_scale(2 * sum, &adder->output) + params->output_offset,
                    params->activation.min, params->activation.max);
}

MN_INLINE int32_t mn_add_elements(const mn_adder *adder, int32_t value1, int32_t value2)
{
    const mn_add_params *const params = adder->params;
    return mn_finish_sum(
        adder, mn_scale_input(adder, value1, params->input1_offset, &adder->input1) +
                   mn_scale_input(adder, value2, params->input2_offset, &adder->input2));
}

MN_INLINE int32_t mn_subtract_elements(const mn_adder *adder, int32_t value1, int32_t value2)
{
    const mn_add_params *const params = adder->params;
    return mn_finish_sum(
        adder, mn_scale_input(adder, value1, params->input1_offset, &adder->input1) -
                   mn_scale_input(adder, value2, params->input2_offset, &adder->input2));
}

#endif
