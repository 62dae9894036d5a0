#include "mn_depthwise.h"

void mn_quad_weights_w8(uint32_t pairs[2], const void *filter, int32_t first, int32_t lanes)
{
    const int8_t *const weights = (const int8_t *)filter + first;
    uint32_t word = 0;
    if (lanes == 4)
    {
        word = mn_read_u32(weights);
    }
    else
    {
        for (int32_t lane = 0; lane < lanes; ++lane)
        {
            word |= (uint32_t)(uint8_t)weights[lane] << (8 * lane);
        }
    }
    pairs[0] = mn_sxtb16(word);
    pairs[1] = mn_sxtb16_ror8(word);
}

void mn_quad_weights_w4(uint32_t pairs[2], const void *filter, int32_t first, int32_t lanes)
{
    const uint8_t *const weights = (const uint8_t *)filter + (first >> 1);
    const int32_t odd = first & 1;
    uint32_t word = weights[0];
    if (odd + lanes > 2)
    {
        word |= (uint32_t)weights[1] << 8;
    }
    if (odd + lanes > 4)
    {
        word |= (uint32_t)weights[2] << 16;
    }
    word = ((word >> (4 * odd)) & 0xFFFFu) ^ 0x8888u;
    word = (word | (word << 8)) & 0x00FF00FFu;
    /* Nibbles with their sign bits flipped are the weights plus 8. */
    pairs[0] = mn_uxtab16(0xFFF8FFF8u, word & 0x000F000Fu);
    pairs[1] = mn_uxtab16(0xFFF8FFF8u, (word >> 4) & 0x000F000Fu);
}
