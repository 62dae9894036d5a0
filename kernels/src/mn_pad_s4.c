/* SPDX-License-Identifier: Apache-2.0 */
/* Constant padding of up to four dimensions, packed int4. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_pad.h"

mn_status mn_pad_s4(int32_t value, const mn_dims *input_dims, const uint8_t *input,
                    const mn_dims *before, const mn_dims *after, uint8_t *output)
{
    if (!mn_is_padding(input_dims, input, before, after, output) || !mn_is_value(value, 4))
    {
        return MN_ARG_ERROR;
    }
    /* Nibbles are put one by one: the last byte's unused half must be zero. */
    const int32_t elements = (before->n + input_dims->n + after->n) *
                             (before->h + input_dims->h + after->h) *
                             (before->w + input_dims->w + after->w) *
                             (before->c + input_dims->c + after->c);
    output[(elements - 1) >> 1] = 0;
    mn_run_padding(mn_copy_s4, mn_fill_s4, value, input_dims, input, before, after, output);
    return MN_SUCCESS;
}
