/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_packing.h"

void mn_copy_s8(void *destination, int32_t to, const void *source, int32_t from, int32_t count)
{
    int8_t *output = (int8_t *)destination + to;
    const int8_t *input = (const int8_t *)source + from;
    for (; count >= 4; count -= 4, input += 4, output += 4)
    {
        mn_write_u32(output, mn_read_u32(input));
    }
    for (; count > 0; --count)
    {
        *output++ = *input++;
    }
}

void mn_fill_s8(void *destination, int32_t to, int32_t value, int32_t count)
{
    int8_t *output = (int8_t *)destination + to;
    const uint32_t word = ((uint32_t)value & 0xFFu) * 0x01010101u;
    for (; count >= 4; count -= 4, output += 4)
    {
        mn_write_u32(output, word);
    }
    for (; count > 0; --count)
    {
        *output++ = (int8_t)value;
    }
}

void mn_copy_s4(void *destination, int32_t to, const void *source, int32_t from, int32_t count)
{
    uint8_t *output = destination;
    const uint8_t *input = source;
    if (count > 0 && (to & 1))
    {
        mn_put_s4(output, to++, mn_get_s4(input, from++));
        --count;
    }
    output += to >> 1;
    input += from >> 1;
    if (from & 1)
    {
        for (; count >= 8; count -= 8, input += 4, output += 4)
        {
            mn_write_u32(output, (mn_read_u32(input) >> 4) | ((uint32_t)input[4] << 28));
        }
    }
    else
    {
        for (; count >= 8; count -= 8, input += 4, output += 4)
        {
            mn_write_u32(output, mn_read_u32(input));
        }
    }
    for (int32_t i = 0; i < count; ++i)
    {
        mn_put_s4(output, i, mn_get_s4(input, (from & 1) + i));
    }
}

void mn_fill_s4(void *destination, int32_t to, int32_t value, int32_t count)
{
    uint8_t *const output = destination;
    for (; count > 0 && ((to & 1) || count == 1); --count)
    {
        mn_put_s4(output, to++, value);
    }
    for (; count >= 2; count -= 2, to += 2)
    {
        output[to >> 1] = (uint8_t)(((uint32_t)value & 0xFu) * 0x11u);
    }
    if (count)
    {
        mn_put_s4(output, to, value);
    }
}

/* The four nibbles of the low half-word, one a byte. */
MN_INLINE uint32_t mn_spread_nibbles(uint32_t nibbles)
{
    nibbles &= 0xFFFFu;
    nibbles = (nibbles | (nibbles << 8)) & 0x00FF00FFu;
    return (nibbles | (nibbles << 4)) & 0x0F0F0F0Fu;
}

void mn_unpack_s4(void *destination, int32_t to, const void *source, int32_t from, int32_t count)
{
    int8_t *output = (int8_t *)destination + to;
    const uint8_t *input = (const uint8_t *)source + (from >> 1);
    if (count > 0 && (from & 1))
    {
        *output++ = (int8_t)(mn_get_s4(input++, 1) + MN_NIBBLE_BIAS);
        --count;
    }
    for (; count >= 8; count -= 8, input += 4, output += 8)
    {
        const uint32_t word = mn_read_u32(input) ^ 0x88888888u;
        mn_write_u32(output, mn_spread_nibbles(word));
        mn_write_u32(output + 4, mn_spread_nibbles(word >> 16));
    }
    for (; count >= 2; count -= 2, output += 2)
    {
        const uint32_t byte = *input++ ^ 0x88u;
        output[0] = (int8_t)(byte & 0xFu);
        output[1] = (int8_t)(byte >> 4);
    }
    if (count)
    {
        *output = (int8_t)(mn_get_s4(input, 0) + MN_NIBBLE_BIAS);
    }
}

void mn_finish_s8(void *output, int32_t to, int8_t *values, int32_t count,
                  const mn_activation *activation)
{
    (void)output;
    (void)to;
    const int32_t low = activation->min;
    const int32_t high = activation->max;
    if (low == INT8_MIN && high == INT8_MAX)
    {
        return;
    }
    for (; count >= 4; count -= 4, values += 4)
    {
        const uint32_t raised = mn_max_s8x4(mn_read_u32(values), mn_bytes(low));
        mn_write_u32(values, mn_min_s8x4(raised, mn_bytes(high)));
    }
    for (; count > 0; --count, ++values)
    {
        *values = (int8_t)(*values < low ? low : *values > high ? high : *values);
    }
}

/* Four bytes, limited, as nibbles in the low half-word. */
MN_INLINE uint32_t mn_pack_word(uint32_t word, uint32_t lows, uint32_t highs)
{
    word = mn_min_s8x4(mn_max_s8x4(word, lows), highs) & 0x0F0F0F0Fu;
    word = (word | (word >> 4)) & 0x00FF00FFu;
    return word | (word >> 8);
}

void mn_finish_s4(void *output, int32_t to, int8_t *values, int32_t count,
                  const mn_activation *activation)
{
    const uint32_t lows = mn_bytes(activation->min);
    const uint32_t highs = mn_bytes(activation->max);
    uint8_t *destination = output;
    if (to & 1)
    {
        const uint32_t value = mn_pack_word((uint8_t)*values++, lows, highs);
        mn_put_s4(destination, to++, (int32_t)value);
        --count;
    }
    destination += to >> 1;
    for (; count >= 8; count -= 8, values += 8, destination += 4)
    {
        const uint32_t low = mn_pack_word(mn_read_u32(values), lows, highs);
        const uint32_t high = mn_pack_word(mn_read_u32(values + 4), lows, highs);
        mn_write_u32(destination, mn_pkhbt(low, high));
    }
    for (; count > 0; count -= 2, values += 2)
    {
        const uint32_t second = count > 1 ? (uint8_t)values[1] : 0;
        const uint32_t packed = mn_pack_word((uint8_t)values[0] | second << 8, lows, highs);
        *destination++ = (uint8_t)(count > 1 ? packed : packed & 0xFu);
    }
}
