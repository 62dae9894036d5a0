/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_columns.h"
#include "mn_matmul.h"
#include "mn_packing.h"

/* The zero point in every byte: minus the offset, which widening adds back. */
MN_INLINE uint32_t mn_zero_bytes(int32_t offset)
{
    return ((uint32_t)-offset & 0xFFu) * 0x01010101u;
}

/* Up to 3 bytes, the rest filled with `fill`. */
static uint32_t mn_read_partial(const int8_t *input, int32_t count, uint32_t fill)
{
    for (int32_t i = 0; i < count; ++i)
    {
        fill = (fill & ~(0xFFu << (8 * i))) | ((uint32_t)(uint8_t)input[i] << (8 * i));
    }
    return fill;
}

/* The first `bytes` bytes of word replaced by those of fill; bytes 0 .. 4. */
MN_INLINE uint32_t mn_replace_low(uint32_t word, uint32_t fill, int32_t bytes)
{
    const uint32_t keep = bytes < 4 ? ~0u << (8 * bytes) : 0u;
    return (word & keep) | (fill & ~keep);
}

/* Four words of a column. */
MN_INLINE uint32_t *mn_put_4(uint32_t *column, const int32_t step, uint32_t word0, uint32_t word1,
                             uint32_t word2, uint32_t word3)
{
#if MN_DSP
    if (step == 1)
    {
        register uint32_t r4 __asm__("r4") = word0;
        register uint32_t r5 __asm__("r5") = word1;
        register uint32_t r6 __asm__("r6") = word2;
        register uint32_t r8 __asm__("r8") = word3;
        __asm__ volatile("stmia %0!, {%1, %2, %3, %4}"
                         : "+r"(column)
                         : "r"(r4), "r"(r5), "r"(r6), "r"(r8)
                         : "memory");
        return column;
    }
#endif
    column[0] = word0;
    column[step] = word1;
    column[2 * step] = word2;
    column[3 * step] = word3;
    return column + 4 * step;
}

MN_INLINE uint32_t *mn_put_w8(uint32_t *column, const int32_t step, uint32_t word, uint32_t pair)
{
    column[0] = mn_sxtab16(pair, word);
    column[step] = mn_sxtab16_ror8(pair, word);
    return column + 2 * step;
}

MN_INLINE uint32_t *mn_put_two_w8(uint32_t *column, const int32_t step, const int8_t *input,
                                  uint32_t pair)
{
    const uint32_t low = mn_read_u32(input);
    const uint32_t high = mn_read_u32(input + 4);
    return mn_put_4(column, step, mn_sxtab16(pair, low), mn_sxtab16_ror8(pair, low),
                    mn_sxtab16(pair, high), mn_sxtab16_ror8(pair, high));
}

MN_INLINE uint32_t *mn_put_w4(uint32_t *column, const int32_t step, uint32_t low, uint32_t high,
                              uint32_t pair)
{
    const uint32_t low02 = mn_sxtab16(pair, low);
    const uint32_t low13 = mn_sxtab16_ror8(pair, low);
    const uint32_t high46 = mn_sxtab16(pair, high);
    const uint32_t high57 = mn_sxtab16_ror8(pair, high);
    return mn_put_4(column, step, mn_pkhbt(low02, high46), mn_pkhtb(high46, low02),
                    mn_pkhbt(low13, high57), mn_pkhtb(high57, low13));
}

/* pair already holds the offset minus 8: nibbles become unsigned by flipping their sign bits. */
MN_INLINE uint32_t *mn_put_nibbles(uint32_t *column, const int32_t step, uint32_t word,
                                   uint32_t pair)
{
    word ^= 0x88888888u;
    const uint32_t even = word & 0x0F0F0F0Fu;
    const uint32_t odd = (word >> 4) & 0x0F0F0F0Fu;
    return mn_put_4(column, step, mn_uxtab16(pair, even), mn_uxtab16_ror8(pair, even),
                    mn_uxtab16(pair, odd), mn_uxtab16_ror8(pair, odd));
}

/* The low four nibbles as a half group; pair as above. */
MN_INLINE uint32_t *mn_put_half_nibbles(uint32_t *column, const int32_t step, uint32_t word,
                                        uint32_t pair)
{
    word = (word ^ 0x8888u) & 0xFFFFu;
    word = (word | (word << 8)) & 0x00FF00FFu;
    column[0] = mn_uxtab16(pair, word & 0x000F000Fu);
    column[step] = mn_uxtab16(pair, (word >> 4) & 0x000F000Fu);
    return column + 2 * step;
}

MN_INLINE const int8_t *mn_widen_s8_w8(uint32_t **column, const int32_t step,
                                       const int8_t *input, int32_t count, uint32_t pair)
{
    uint32_t *next = *column;
    const int8_t *end = input + (count & -4 * MN_GROUP_W8);
    while (input != end)
    {
        next = mn_put_two_w8(next, step, input, pair);
        next = mn_put_two_w8(next, step, input + 2 * MN_GROUP_W8, pair);
        input += 4 * MN_GROUP_W8;
    }
    for (end += count & 3 * MN_GROUP_W8; input != end; input += MN_GROUP_W8)
    {
        next = mn_put_w8(next, step, mn_read_u32(input), pair);
    }
    *column = next;
    return input;
}

MN_INLINE const int8_t *mn_widen_s8_w4(uint32_t **column, const int32_t step,
                                       const int8_t *input, int32_t count, uint32_t pair)
{
    uint32_t *next = *column;
    const int8_t *const end = input + (count & -2 * MN_GROUP_W4);
    for (; input != end; input += 2 * MN_GROUP_W4)
    {
        next = mn_put_w4(next, step, mn_read_u32(input), mn_read_u32(input + 4), pair);
        next = mn_put_w4(next, step, mn_read_u32(input + 8), mn_read_u32(input + 12), pair);
    }
    if (count & MN_GROUP_W4)
    {
        next = mn_put_w4(next, step, mn_read_u32(input), mn_read_u32(input + 4), pair);
        input += MN_GROUP_W4;
    }
    *column = next;
    return input;
}

/* `count` nibbles from nibble `first` on in the low end of a word, the rest from `fill`. */
static uint32_t mn_read_few_nibbles(const uint8_t *input, int32_t first, int32_t count,
                                    uint32_t fill)
{
    for (int32_t i = 0; i < count; ++i, ++first)
    {
        const uint32_t nibble = ((uint32_t)input[first >> 1] >> (4 * (first & 1))) & 0xFu;
        fill = (fill & ~(0xFu << (4 * i))) | (nibble << (4 * i));
    }
    return fill;
}

/* `count` (4 or 8) nibbles from nibble `first` on, in the low end of a word. */
static uint32_t mn_read_last_nibbles(const uint8_t *input, int32_t first, int32_t count)
{
    input += first >> 1;
    uint32_t word = count == 8 ? mn_read_u32(input) : input[0] | ((uint32_t)input[1] << 8);
    if (first & 1)
    {
        const int32_t last = count >> 1;
        word = (word >> 4) | ((uint32_t)input[last] << (8 * last - 4));
    }
    return word;
}

/* Whole groups that start at a byte; returns the advanced column. */
MN_INLINE uint32_t *mn_widen_even_s4(uint32_t *column, const int32_t step, const uint8_t *input,
                                     int32_t count, uint32_t pair)
{
    const uint8_t *const end = input + (count / MN_GROUP_W4) * 4;
    for (; input != end; input += 4)
    {
        column = mn_put_nibbles(column, step, mn_read_u32(input), pair);
    }
    return column;
}

/* Whole groups that start at the odd nibble of the first byte. */
MN_INLINE uint32_t *mn_widen_odd_s4(uint32_t *column, const int32_t step, const uint8_t *input,
                                     int32_t count, uint32_t pair)
{
    const uint8_t *const end = input + (count / MN_GROUP_W4) * 4;
    for (; input != end; input += 4)
    {
        const uint32_t even = ((mn_read_u32(input) >> 4) & 0x0F0F0F0Fu) ^ 0x08080808u;
        const uint32_t odd = (mn_read_u32(input + 1) & 0x0F0F0F0Fu) ^ 0x08080808u;
        column = mn_put_4(column, step, mn_uxtab16(pair, even), mn_uxtab16_ror8(pair, even),
                          mn_uxtab16(pair, odd), mn_uxtab16_ror8(pair, odd));
    }
    return column;
}

/* The end of a column of whole words: up to 3 values more. */
static void mn_end_s8_w8(uint32_t *column, int32_t step, const int8_t *values, int32_t count,
                              int32_t offset)
{
    const int32_t rest = count & (MN_GROUP_W8 - 1);
    const uint32_t fill = mn_zero_bytes(offset);
    const uint32_t word =
        count < MN_GROUP_W8
            ? mn_read_partial(values, rest, fill)
            : mn_replace_low(mn_read_u32(values + rest - MN_GROUP_W8), fill, MN_GROUP_W8 - rest);
    mn_put_w8(column, step, word, mn_offset_pair(offset));
}

MN_INLINE void mn_make_s8_w8(uint32_t *column, const int32_t step, const void *input,
                                  const mn_piece *piece, int32_t offset)
{
    const int8_t *row = (const int8_t *)input + piece->first;
    const int32_t count = piece->count;
    const uint32_t pair = mn_offset_pair(offset);
    for (int32_t left = piece->rows;;)
    {
        const int8_t *const values = mn_widen_s8_w8(&column, step, row, count, pair);
        if (--left == 0)
        {
            if (count & (MN_GROUP_W8 - 1))
            {
                mn_end_s8_w8(column, step, values, count, offset);
            }
            return;
        }
        row += piece->distance;
        column += (piece->gap >> 1) * step;
    }
}

void mn_column_x4_s8_w8(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s8_w8(column, 4, input, piece, offset);
}

void mn_column_x1_s8_w8(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s8_w8(column, 1, input, piece, offset);
}

/* The end of a column of whole groups: up to 7 values more. */
static void mn_end_s8_w4(uint32_t *column, int32_t step, const int8_t *values, int32_t count,
                              int32_t offset)
{
    const int32_t rest = count & (MN_GROUP_W4 - 1);
    const uint32_t pair = mn_offset_pair(offset);
    const uint32_t fill = mn_zero_bytes(offset);
    if (count < MN_GROUP_W4)
    {
        const uint32_t low = mn_read_partial(values, rest < 4 ? rest : 4, fill);
        const uint32_t high = rest > 4 ? mn_read_partial(values + 4, rest - 4, fill) : fill;
        mn_put_w4(column, step, low, high, pair);
    }
    else if (rest > 4)
    {
        const uint32_t low = mn_replace_low(mn_read_u32(values + rest - 8), fill, 8 - rest);
        mn_put_w4(column, step, low, mn_read_u32(values + rest - 4), pair);
    }
    else
    {
        const uint32_t word = mn_replace_low(mn_read_u32(values + rest - 4), fill, 4 - rest);
        mn_put_w8(column, step, word, pair);
    }
}

MN_INLINE void mn_make_s8_w4(uint32_t *column, const int32_t step, const void *input,
                                  const mn_piece *piece, int32_t offset)
{
    const int8_t *row = (const int8_t *)input + piece->first;
    const int32_t count = piece->count;
    const uint32_t pair = mn_offset_pair(offset);
    for (int32_t left = piece->rows;;)
    {
        const int8_t *const values = mn_widen_s8_w4(&column, step, row, count, pair);
        if (--left == 0)
        {
            if (count & (MN_GROUP_W4 - 1))
            {
                mn_end_s8_w4(column, step, values, count, offset);
            }
            return;
        }
        row += piece->distance;
        column += (piece->gap >> 1) * step;
    }
}

void mn_column_x4_s8_w4(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s8_w4(column, 4, input, piece, offset);
}

void mn_column_x1_s8_w4(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s8_w4(column, 1, input, piece, offset);
}

/* The end of a column of whole groups of the row at byte `values`, which starts at an odd nibble or not. */
static void mn_end_s4_w4(uint32_t *column, int32_t step, const uint8_t *values, int32_t odd,
                              int32_t count, int32_t offset)
{
    const int32_t rest = count & (MN_GROUP_W4 - 1);
    const uint32_t pair = mn_offset_pair(offset - MN_NIBBLE_BIAS);
    const uint32_t fill = ((uint32_t)-offset & 0xFu) * 0x11111111u;
    if (count < MN_GROUP_W4)
    {
        mn_put_nibbles(column, step, mn_read_few_nibbles(values, odd, rest, fill), pair);
        return;
    }
    const int32_t size = rest > 4 ? 8 : 4;
    const uint32_t word = mn_read_last_nibbles(values, odd + count - size, size);
    const uint32_t keep = ~0u << (4 * (size - rest));
    const uint32_t nibbles = (word & keep) | (fill & ~keep);
    if (size == 8)
    {
        mn_put_nibbles(column, step, nibbles, pair);
    }
    else
    {
        mn_put_half_nibbles(column, step, nibbles, pair);
    }
}

MN_INLINE void mn_make_s4_w4(uint32_t *column, const int32_t step, const void *input,
                                  const mn_piece *piece, int32_t offset)
{
    const uint8_t *row = (const uint8_t *)input + (piece->first >> 1);
    const int32_t count = piece->count;
    const int32_t odd = piece->first & 1;
    const uint32_t pair = mn_offset_pair(offset - MN_NIBBLE_BIAS);
    for (int32_t left = piece->rows;;)
    {
        column = odd ? mn_widen_odd_s4(column, step, row, count, pair)
                     : mn_widen_even_s4(column, step, row, count, pair);
        if (--left == 0)
        {
            if (count & (MN_GROUP_W4 - 1))
            {
                mn_end_s4_w4(column, step, row, odd, count, offset);
            }
            return;
        }
        row += piece->distance >> 1;
        column += (piece->gap >> 1) * step;
    }
}

void mn_column_x4_s4_w4(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s4_w4(column, 4, input, piece, offset);
}

void mn_column_x1_s4_w4(uint32_t *column, const void *input, const mn_piece *piece,
                          int32_t offset)
{
    mn_make_s4_w4(column, 1, input, piece, offset);
}

void mn_gather_s8(int8_t *patch, const void *input, const mn_piece *piece)
{
    const int8_t *row = (const int8_t *)input + piece->first;
    for (int32_t left = piece->rows; left > 0; --left, row += piece->distance)
    {
        const int8_t *values = row;
        const int8_t *end = row + (piece->count & -4);
        for (; values != end; values += 4, patch += 4)
        {
            mn_write_u32(patch, mn_read_u32(values));
        }
        for (end += piece->count & 3; values != end;)
        {
            *patch++ = *values++;
        }
        patch += piece->gap;
    }
}

void mn_gather_s4(int8_t *patch, const void *input, const mn_piece *piece)
{
    int32_t first = piece->first;
    for (int32_t left = piece->rows; left > 0; --left, first += piece->distance)
    {
        mn_unpack_s4(patch, 0, input, first, piece->count);
        patch += piece->count + piece->gap;
    }
}

void mn_column_zero(uint32_t *column, int32_t step, int32_t words)
{
    for (; words > 0; --words)
    {
        *column = 0;
        column += step;
    }
}
