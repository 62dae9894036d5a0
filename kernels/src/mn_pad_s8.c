/* SPDX-License-Identifier: Apache-2.0 */
/* Constant padding of up to four dimensions, int8. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_pad.h"

mn_status mn_pad_s8(int32_t value, const mn_dims *input_dims, const int8_t *input,
                    const mn_dims *before, const mn_dims *after, int8_t *output)
{
    if (!mn_is_padding(input_dims, input, before, after, output) || !mn_is_value(value, 8))
    {
        return MN_ARG_ERROR;
    }
    mn_run_padding(mn_copy_s8, mn_fill_s8, value, input_dims, input, before, after, output);
    return MN_SUCCESS;
}
