/* Fully connected, int4 activations, int8 weights. See mn_nnfunctions.h. */
#include "mn_fully_connected.h"
#include "mn_nnfunctions.h"

int32_t mn_fully_connected_s4_w8_get_buffer_size(const mn_dims *input_dims,
                                               const mn_dims *filter_dims,
                                               const mn_dims *output_dims)
{
    return mn_fully_connected_buffer_size(&mn_kind_s4_w8, NULL, input_dims, filter_dims,
                                          output_dims);
}

mn_status mn_fully_connected_s4_w8(const mn_context *ctx, const mn_fc_params *fc_params,
                                 const mn_quant_params *quant_params, const mn_dims *input_dims,
                                 const uint8_t *input, const mn_dims *filter_dims,
                                 const int8_t *filter, const mn_dims *bias_dims,
                                 const int32_t *bias, const mn_dims *output_dims,
                                 uint8_t *output)
{
    (void)bias_dims;
    const mn_fully_connected layer = {&mn_kind_s4_w8, NULL, fc_params, quant_params, input_dims,
                                      input, filter_dims, filter, bias, output_dims, output};
    return mn_fully_connected_run(ctx, &layer);
}
