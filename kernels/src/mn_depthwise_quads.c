/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quads of depthwise channels at one position: per tap and quad 2 loads, 2 unpacks, half an LDM of
 * offsets, half an LDM of weights and 4 SMLAxy for 4 MACs, in 14 registers.
 */
#include <stddef.h>

#include "mn_depthwise.h"
#include "mn_requantize.h"

#if MN_DSP
#define MN_FOLLOWS(field, next)                                                                    \
    _Static_assert(offsetof(mn_quads, next) == offsetof(mn_quads, field) + 4, "one LDM")
_Static_assert(offsetof(mn_quads, multiplier) == 0, "at the stack pointer");
MN_FOLLOWS(multiplier, shift);
MN_FOLLOWS(shift, offset);
MN_FOLLOWS(offset, output);
MN_FOLLOWS(taps, blocks_end);
MN_FOLLOWS(input, bias);
#undef MN_FOLLOWS

#define MN_PLACE(field) [field] "i"(offsetof(mn_quads, field))

/* r1 taps, r2 weights, r3 .. r6 sums, r7 input, r8 .. r11 weights, r12, lr, r0 inputs */
#define MN_MAC4(value, even, odd)                                                                  \
    "sxtb16 r0, " value "\n\t"                                                                     \
    "sxtb16 " value ", " value ", ror #8\n\t"                                                      \
    "smlabb r3, r0, " even ", r3\n\t"                                                              \
    "smlabb r4, " value ", " odd ", r4\n\t"                                                        \
    "smlatt r5, r0, " even ", r5\n\t"                                                              \
    "smlatt r6, " value ", " odd ", r6\n\t"

#define MN_TWO_TAPS                                                                                \
    "ldmia r1!, {r12, lr}\n\t"                                                                     \
    "ldmia r2!, {r8, r9, r10, r11}\n\t"                                                            \
    "ldr r12, [r7, r12]\n\t"                                                                       \
    "ldr lr, [r7, lr]\n\t" MN_MAC4("r12", "r8", "r9") MN_MAC4("lr", "r10", "r11")

#define MN_ONE_TAP                                                                                 \
    "ldr r12, [r1], #4\n\t"                                                                        \
    "ldmia r2!, {r8, r9}\n\t"                                                                      \
    "ldr r12, [r7, r12]\n\t" MN_MAC4("r12", "r8", "r9")

/*
 * The end of a plain lane. As MN_REQUANTIZE_RIGHT_1 by any right shift: a sum whose doubling
 * saturates is limited to the same int8 up to shifts of 20, and the others of plain lanes stay
 * below 2^30.
 */
#define MN_STORE_PLAIN(sum, multiplier, shift)                                                     \
    "rsb " shift ", " shift ", #0\n\t"                                                             \
    "qadd " sum ", " sum ", " sum "\n\t"                                                           \
    "smmulr " sum ", " sum ", " multiplier "\n\t"                                                  \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                   \
    "asrs " sum ", " sum ", " shift "\n\t"                                                         \
    "adc " sum ", " sum ", r9\n\t"                                                                 \
    "ssat " sum ", #8, " sum "\n\t"                                                                \
    "strb " sum ", [r10], #1\n\t"

/* Two lanes' multipliers to r8 and r11, their shifts to r0 and r12. */
#define MN_LOAD_LANES                                                                              \
    "ldmia r1!, {r8, r11}\n\t"                                                                     \
    "ldmia r7!, {r0, r12}\n\t"                                                                     \
    "strd r1, r7, [sp]\n\t"
#define MN_RELOAD_LANES "ldrd r1, r7, [sp]\n\t" MN_LOAD_LANES

/*
 * The end of any lane, in three columns of code: 10n, lanes with right shifts of 2 and more, less
 * one in `right`; 11n, left shifts; 12n, a right shift of 1. A lane ends with the look at the next
 * one's shift, which goes on in the same column or leads to another.
 */
#define MN_STORE_RIGHT(n, sum, multiplier, right)                                                  \
    "10" n ":\n\t" MN_REQUANTIZE(sum, multiplier, right, "r9", "lr", "r1", "r7")                   \
    "strb " sum ", [r10], #1\n\t"

#define MN_STORE_LEFT(n, sum, multiplier, left)                                                    \
    "11" n ":\n\t" MN_REQUANTIZE_LEFT(sum, multiplier, left, "ldrd r1, r7, [sp, %[left_start]]",   \
                                      "r1", "r7")                                                  \
    "strb " sum ", [r10], #1\n\t"

#define MN_STORE_RIGHT_1(n, sum, multiplier)                                                       \
    "12" n ":\n\t" MN_REQUANTIZE_RIGHT_1(sum, multiplier, "r9")                                    \
    "strb " sum ", [r10], #1\n\t"

#define MN_AFTER_RIGHT(n, shift)                                                                   \
    "rsbs r3, " shift ", #-1\n\t"                                                                  \
    "ble 13" n "f\n"

#define MN_AFTER_LEFT(n, shift)                                                                    \
    "rsbs r3, " shift ", #-1\n\t"                                                                  \
    "bpl 14" n "f\n"

#define MN_AFTER_RIGHT_1(n, shift)                                                                 \
    "rsbs r3, " shift ", #-1\n\t"                                                                  \
    "bgt 10" n "b\n"                                                                               \
    "13" n ":\n\t"                                                                                 \
    "bne 11" n "b\n"

/* From a left shift to another one. */
#define MN_LEAVE_LEFT(n)                                                                           \
    "14" n ":\n\t"                                                                                 \
    "bne 10" n "b\n\t"                                                                             \
    "b 12" n "b\n"

/* On to the next quad, or out of the loop. */
#define MN_NEXT_QUAD                                                                               \
    "ldr r12, [sp, %[output_end]]\n\t"                                                             \
    "str r10, [sp, %[output]]\n\t"                                                                 \
    "cmp r10, r12\n\t"                                                                             \
    "bne 2b\n\t"

void mn_run_quads(const mn_quads *quads)
{
    register const mn_quads *r0 __asm__("r0") = quads;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile(
        "push {r7}\n\t"
        "sub sp, sp, %[copied]\n\t"
        "ldmia r0, {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
        "stmia sp, {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
        "ldr r2, [sp, %[weights]]\n"
        "2:\n\t"
        "ldrd r1, r0, [sp, %[taps]]\n\t"
        "ldrd r7, r8, [sp, %[input]]\n\t"
        "ldmia r8!, {r3, r4, r5, r6}\n\t"
        "add r12, r7, #4\n\t"
        "strd r12, r8, [sp, %[input]]\n\t"
        "cmp r1, r0\n\t"
        "beq 4f\n"
        "3:\n\t" MN_TWO_TAPS MN_TWO_TAPS MN_TWO_TAPS MN_TWO_TAPS
        "ldr r12, [sp, %[blocks_end]]\n\t"
        "cmp r1, r12\n\t"
        "bne 3b\n"
        "4:\n\t"
        "ldr r11, [sp, %[rest]]\n\t"
        "cmp r11, #0\n\t"
        "ble 6f\n"
        "5:\n\t" MN_ONE_TAP
        "subs r11, r11, #2\n\t"
        "bgt 5b\n"
        "6:\n\t"
        "beq 8f\n\t"
        "ldmia sp, {r1, r7, r9, r10}\n\t"
        "ldmia r1!, {r8, r11}\n\t"
        "ldmia r7!, {r12, lr}\n\t" MN_STORE_PLAIN("r3", "r8", "r12")
            MN_STORE_PLAIN("r4", "r11", "lr")
        "ldmia r1!, {r8, r11}\n\t"
        "ldmia r7!, {r12, lr}\n\t" MN_STORE_PLAIN("r5", "r8", "r12")
            MN_STORE_PLAIN("r6", "r11", "lr")
        "strd r1, r7, [sp]\n\t" MN_NEXT_QUAD
        "7:\n\t"
        /* The last quad ends with the last channel. */
        "ldr r3, [sp, %[back]]\n\t"
        "cmp r3, #0\n\t"
        "beq 9f\n\t"
        "ldr r8, [sp, %[input]]\n\t"
        "sub r8, r8, r3\n\t"
        "str r8, [sp, %[input]]\n\t"
        "ldrd r1, r7, [sp]\n\t"
        "sub r1, r1, r3, lsl #2\n\t"
        "sub r7, r7, r3, lsl #2\n\t"
        "strd r1, r7, [sp]\n\t"
        "sub r10, r10, r3\n\t"
        "str r10, [sp, %[output]]\n\t"
        "add r12, r10, #4\n\t"
        "str r12, [sp, %[output_end]]\n\t"
        "mov r3, #0\n\t"
        "str r3, [sp, %[back]]\n\t"
        "b 2b\n"
        /* Lanes that are not plain. From the second on, r3 is free for the look at the shift. */
        "8:\n\t"
        "ldmia sp, {r1, r7, r9, r10}\n\t" MN_LOAD_LANES
        "mov lr, #0x40000000\n\t"
        "rsbs r0, r0, #-1\n\t"
        "ble 130f\n"
        MN_STORE_RIGHT("0", "r3", "r8", "r0") MN_AFTER_RIGHT("1", "r12")
        MN_STORE_RIGHT("1", "r4", "r11", "r3") MN_RELOAD_LANES MN_AFTER_RIGHT("2", "r0")
        MN_STORE_RIGHT("2", "r5", "r8", "r3") MN_AFTER_RIGHT("3", "r12")
        MN_STORE_RIGHT("3", "r6", "r11", "r3") MN_NEXT_QUAD
        "b 7b\n"
        "130:\n\t"
        "beq 120f\n\t"
        "mvn r0, r0\n"
        MN_STORE_LEFT("0", "r3", "r8", "r0") MN_AFTER_LEFT("1", "r12")
        MN_STORE_LEFT("1", "r4", "r11", "r12") MN_RELOAD_LANES MN_AFTER_LEFT("2", "r0")
        MN_STORE_LEFT("2", "r5", "r8", "r0") MN_AFTER_LEFT("3", "r12")
        MN_STORE_LEFT("3", "r6", "r11", "r12") MN_NEXT_QUAD
        "b 7b\n"
        MN_STORE_RIGHT_1("0", "r3", "r8") MN_AFTER_RIGHT_1("1", "r12")
        MN_STORE_RIGHT_1("1", "r4", "r11") MN_RELOAD_LANES MN_AFTER_RIGHT_1("2", "r0")
        MN_STORE_RIGHT_1("2", "r5", "r8") MN_AFTER_RIGHT_1("3", "r12")
        MN_STORE_RIGHT_1("3", "r6", "r11") MN_NEXT_QUAD
        "b 7b\n" MN_LEAVE_LEFT("1") MN_LEAVE_LEFT("2") MN_LEAVE_LEFT("3")
        "9:\n\t"
        "add sp, sp, %[copied]\n\t"
        "pop {r7}\n\t"
        : "+r"(r0)
        : MN_PLACE(weights), MN_PLACE(taps), MN_PLACE(blocks_end), MN_PLACE(input), MN_PLACE(rest),
          MN_PLACE(output), MN_PLACE(output_end), MN_PLACE(back), MN_PLACE(left_start),
          [copied] "i"(offsetof(mn_quads, zeros))
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}
#else
void mn_run_quads(const mn_quads *quads)
{
    const int32_t count = (int32_t)(quads->blocks_end - quads->taps) + ((quads->rest + 1) >> 1);
    const int32_t whole = (int32_t)(quads->output_end - quads->output);
    const uint32_t *weights = quads->weights;
    const int32_t *bias = quads->bias;
    for (int32_t begin = 0; begin < whole + quads->back; begin += 4, bias += 4)
    {
        const int32_t channel = begin < whole ? begin : whole - quads->back;
        int32_t sums[4];
        memcpy(sums, bias, sizeof(sums));
        for (int32_t tap = 0; tap < count; ++tap, weights += 2)
        {
            const int8_t *pixel = mn_tap_pixel(quads->input, quads->taps[tap], quads->zeros);
            const uint32_t values = mn_read_u32(pixel + channel);
            const uint32_t even = mn_sxtb16(values);
            const uint32_t odd = mn_sxtb16_ror8(values);
            sums[0] = mn_smlabb(even, weights[0], sums[0]);
            sums[1] = mn_smlabb(odd, weights[1], sums[1]);
            sums[2] = mn_smlabb(even >> 16, weights[0] >> 16, sums[2]);
            sums[3] = mn_smlabb(odd >> 16, weights[1] >> 16, sums[3]);
        }
        for (int32_t lane = 0; lane < 4; ++lane)
        {
            quads->output[channel + lane] =
                (int8_t)mn_requantize_s8(sums[lane], quads->multiplier[channel + lane],
                                             quads->shift[channel + lane], quads->offset);
        }
    }
}
#endif
