/*
 * Quads of depthwise channels at one position: per tap and quad 2 loads, 2 unpacks, half an LDM of
 * offsets, half an LDM of weights and 4 SMLAxy for 4 MACs, in 14 registers.
 */
#include <stddef.h>

#include "mn_depthwise.h"
#include "mn_requantize.h"

#if MN_DSP
_Static_assert(offsetof(mn_quads, bias) == 12, "offset in the assembler");
_Static_assert(offsetof(mn_quads, output_end) == 32, "offset in the assembler");
_Static_assert(offsetof(mn_quads, weights) == 44, "offset in the assembler");

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

/* sum -> int8; r9 output offset */
#define MN_REQUANTIZE(sum, multiplier, shift)                                                      \
    "rsb " shift ", " shift ", #0\n\t"                                                             \
    "qadd " sum ", " sum ", " sum "\n\t"                                                           \
    "smmulr " sum ", " sum ", " multiplier "\n\t"                                                  \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                   \
    "asrs " sum ", " sum ", " shift "\n\t"                                                         \
    "adc " sum ", " sum ", r9\n\t"                                                                 \
    "ssat " sum ", #8, " sum "\n\t"                                                                \
    "strb " sum ", [r10], #1\n\t"

void mn_run_quads(const mn_quads *quads)
{
    register const mn_quads *r0 __asm__("r0") = quads;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "ldr r2, [r0, #44]\n\t"
                     "sub sp, sp, #44\n\t"
                     "ldmia r0, {r1, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "stmia sp, {r1, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12}\n"
                     "2:\n\t"
                     "ldr r1, [sp]\n\t"
                     "ldrd r7, r8, [sp, #8]\n\t"
                     "ldr r0, [sp, #4]\n\t"
                     "ldmia r8!, {r3, r4, r5, r6}\n\t"
                     "add r12, r7, #4\n\t"
                     "strd r12, r8, [sp, #8]\n\t"
                     "cmp r1, r0\n\t"
                     "beq 4f\n"
                     "3:\n\t" MN_TWO_TAPS MN_TWO_TAPS MN_TWO_TAPS MN_TWO_TAPS
                     "ldr r12, [sp, #4]\n\t"
                     "cmp r1, r12\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "ldr r11, [sp, #36]\n\t"
                     "cmp r11, #0\n\t"
                     "beq 6f\n"
                     "5:\n\t" MN_ONE_TAP
                     "subs r11, r11, #1\n\t"
                     "bne 5b\n"
                     "6:\n\t"
                     "add r12, sp, #16\n\t"
                     "ldmia r12, {r1, r7, r9, r10}\n\t"
                     "ldmia r1!, {r8, r11}\n\t"
                     "ldmia r7!, {r12, lr}\n\t" MN_REQUANTIZE("r3", "r8", "r12")
                         MN_REQUANTIZE("r4", "r11", "lr")
                     "ldmia r1!, {r8, r11}\n\t"
                     "ldmia r7!, {r12, lr}\n\t" MN_REQUANTIZE("r5", "r8", "r12")
                         MN_REQUANTIZE("r6", "r11", "lr")
                     "strd r1, r7, [sp, #16]\n\t"
                     "ldr r12, [sp, #32]\n\t"
                     "str r10, [sp, #28]\n\t"
                     "cmp r10, r12\n\t"
                     "bne 2b\n\t"
                     /* The last quad ends with the last channel. */
                     "ldr r3, [sp, #40]\n\t"
                     "cbz r3, 7f\n\t"
                     "ldr r8, [sp, #8]\n\t"
                     "sub r8, r8, r3\n\t"
                     "str r8, [sp, #8]\n\t"
                     "sub r1, r1, r3, lsl #2\n\t"
                     "sub r7, r7, r3, lsl #2\n\t"
                     "strd r1, r7, [sp, #16]\n\t"
                     "sub r10, r10, r3\n\t"
                     "add r12, r10, #4\n\t"
                     "mov r3, #0\n\t"
                     "strd r10, r12, [sp, #28]\n\t"
                     "str r3, [sp, #40]\n\t"
                     "b 2b\n"
                     "7:\n\t"
                     "add sp, sp, #44\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}
#else
void mn_run_quads(const mn_quads *quads)
{
    const int32_t count = (int32_t)(quads->blocks_end - quads->taps) + quads->singles;
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
                (int8_t)mn_requantize_s8_any(sums[lane], quads->multiplier[channel + lane],
                                             quads->shift[channel + lane], quads->offset);
        }
    }
}
#endif
