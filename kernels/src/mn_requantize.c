/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_requantize.h"

int32_t mn_requantize_s8(int32_t value, int32_t multiplier, int32_t shift, int32_t offset)
{
    const int32_t scaled = mn_requantize(value, multiplier, shift);
    return mn_clamp(mn_add_wrapping(scaled, offset), INT8_MIN, INT8_MAX);
}
