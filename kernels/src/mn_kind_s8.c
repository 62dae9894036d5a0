/* Int8 activations, int8 weights. */
#include "mn_convolution.h"

const mn_conv_kind mn_kind_s8 = {
    .input_bits = 8,
    .weight_bits = 8,
    .column = mn_column_s8_w8,
    .patch_column = mn_column_s8_w8,
    .gather = mn_copy_s8,
    .patch_bias = 0,
    .pad_weights = mn_copy_s8,
    .fill_weights = mn_fill_s8,
    .matmul_x4 = mn_matmul_x4_w8,
    .matmul_x1 = mn_matmul_x1_w8,
    .finish = mn_finish_s8,
};
