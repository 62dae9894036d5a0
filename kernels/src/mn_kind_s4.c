/* Int4 activations, int4 weights. */
#include "mn_convolution.h"

const mn_conv_kind mn_kind_s4 = {
    .input_bits = 4,
    .weight_bits = 4,
    .column = mn_column_s4_w4,
    .patch_column = mn_column_s8_w4,
    .gather = mn_unpack_s4,
    .patch_bias = MN_NIBBLE_BIAS,
    .pad_weights = mn_copy_s4,
    .fill_weights = mn_fill_s4,
    .matmul_x4 = mn_matmul_x4_w4,
    .matmul_x1 = mn_matmul_x1_w4,
    .finish = mn_finish_s4,
};
