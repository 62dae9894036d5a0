/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixed-point arithmetic of TFLite's quantised softmax (tflite reference/softmax.h on
 * gemmlowp's fixedpoint.h): Qm.n names m integer and n fractional bits.
 */
#ifndef MN_SOFTMAX_H
#define MN_SOFTMAX_H

#include "mn_types.h"

typedef struct
{
    int32_t multiplier;
    int32_t left_shift;
    int32_t diff_min;
} mn_softmax_scaling;

/* exp of a difference to the row's maximum (<= 0, >= diff_min), Q0.31 */
int32_t mn_softmax_exp(const mn_softmax_scaling *scaling, int32_t difference);

/* One more term, Q0.31, of a row's sum, Q12.19 */
int32_t mn_softmax_add(int32_t sum, int32_t exponential);

/* What the outputs of a row need besides their exponentials. */
typedef struct
{
    int32_t scale;    /* Q0.31 */
    int32_t exponent; /* right shift of scale * exponential to 1 / 256 */
} mn_softmax_divisor;

mn_softmax_divisor mn_softmax_divide(int32_t sum);

/* The int8 probability, zero point -128, scale 1 / 256. */
int32_t mn_softmax_output(const mn_softmax_divisor *divisor, int32_t exponential);

int32_t mn_is_softmax(const void *input, int32_t rows, int32_t row_size,
                      const mn_softmax_scaling *scaling, const void *output);

#endif
