/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

int32_t mn_reference_get(int32_t bits, const void *data, int32_t index)
{
    if (bits == 8)
    {
        return ((const int8_t *)data)[index];
    }
    const uint8_t byte = ((const uint8_t *)data)[index / 2];
    const int32_t nibble = index % 2 ? byte >> 4 : byte & 15;
    return nibble >= 8 ? nibble - 16 : nibble;
}

void mn_reference_put(int32_t bits, void *data, int32_t index, int32_t value)
{
    if (bits == 8)
    {
        ((int8_t *)data)[index] = (int8_t)value;
        return;
    }
    uint8_t *byte = (uint8_t *)data + index / 2;
    const uint8_t nibble = (uint8_t)(value & 15);
    /* The low nibble comes first and clears the high one, so that an odd end leaves zero there. */
    *byte = index % 2 ? (uint8_t)((*byte & 15) | (nibble << 4)) : nibble;
}

/* Floor division by 2^exponent of a value that may be negative. */
static int64_t mn_floor_divide(int64_t value, int32_t exponent)
{
    const int64_t divisor = (int64_t)1 << exponent;
    return value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);
}

int32_t mn_reference_scale(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    const int64_t product = (int64_t)shifted * multiplier;
    const int64_t high = mn_floor_divide(product + ((int64_t)1 << 30), 31);
    if (right == 0)
    {
        return (int32_t)high;
    }
    /* Half away from zero. */
    const int64_t half = (int64_t)1 << (right - 1);
    const int64_t magnitude = mn_floor_divide((high < 0 ? -high : high) + half, right);
    return (int32_t)(high < 0 ? -magnitude : magnitude);
}

int32_t mn_reference_limit(int32_t value, const mn_activation *activation)
{
    return value < activation->min   ? activation->min
           : value > activation->max ? activation->max
                                     : value;
}
