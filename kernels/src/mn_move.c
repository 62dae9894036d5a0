/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_move.h"

#include "mn_intrinsics.h"

void mn_move_down(uint8_t *to, const uint8_t *from, int32_t bytes)
{
    /* All four words are read before one is written: a distance below 16 is no matter. */
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16)
    {
        const uint32_t first = mn_read_u32(from);
        const uint32_t second = mn_read_u32(from + 4);
        const uint32_t third = mn_read_u32(from + 8);
        const uint32_t fourth = mn_read_u32(from + 12);
        mn_write_u32(to, first);
        mn_write_u32(to + 4, second);
        mn_write_u32(to + 8, third);
        mn_write_u32(to + 12, fourth);
    }
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
    {
        mn_write_u32(to, mn_read_u32(from));
    }
    for (; bytes > 0; --bytes)
    {
        *to++ = *from++;
    }
}
