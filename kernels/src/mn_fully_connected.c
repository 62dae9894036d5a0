#include "mn_fully_connected.h"

#include "mn_arguments.h"

/* Batches as positions: [n, h, w, c] of the input may spread its depth over h, w and c. */
typedef struct
{
    mn_dims input;
    mn_dims filter;
    mn_dims output;
    mn_conv_params params;
} mn_as_convolution;

static int mn_convert(mn_as_convolution *conv, const mn_dims *input_dims,
                      const mn_dims *filter_dims, const mn_dims *output_dims)
{
    if (!mn_is_dims(input_dims) || !mn_is_dims(filter_dims) || !mn_is_dims(output_dims) ||
        mn_elements(filter_dims) / filter_dims->n != mn_elements(input_dims) / input_dims->n ||
        output_dims->h != 1 || output_dims->w != 1)
    {
        return 0;
    }
    const int32_t depth = mn_elements(input_dims) / input_dims->n;
    conv->input = (mn_dims){input_dims->n, 1, 1, depth};
    conv->filter = (mn_dims){filter_dims->n, 1, 1, depth};
    conv->output = *output_dims;
    conv->params = (mn_conv_params){.stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}};
    return 1;
}

int32_t mn_fully_connected_buffer_size(const mn_conv_kind *kind, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims)
{
    mn_as_convolution conv;
    if (!mn_convert(&conv, input_dims, filter_dims, output_dims))
    {
        return MN_ARG_ERROR;
    }
    return mn_convolution_buffer_size(kind, &conv.params, &conv.input, &conv.filter,
                                      &conv.output);
}

mn_status mn_fully_connected_run(const mn_context *ctx, const mn_fully_connected *layer)
{
    mn_as_convolution conv;
    if (layer->params == NULL || layer->quant_params == NULL ||
        !mn_convert(&conv, layer->input_dims, layer->filter_dims, layer->output_dims))
    {
        return MN_ARG_ERROR;
    }
    conv.params.input_offset = layer->params->input_offset;
    conv.params.output_offset = layer->params->output_offset;
    conv.params.activation = layer->params->activation;
    mn_convolution convolution = {
        .kind = layer->kind,
        .params = &conv.params,
        .rows = {.multiplier = layer->quant_params->multiplier,
                 .shift = layer->quant_params->shift,
                 .quant_step = layer->quant_params->is_per_channel != 0},
        .input_dims = &conv.input,
        .input = layer->input,
        .filter_dims = &conv.filter,
        .filter = layer->filter,
        .output_dims = &conv.output,
        .output = layer->output,
    };
    return mn_convolution_run(ctx, &convolution, layer->bias);
}
