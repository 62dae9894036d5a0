#include "mn_requantize.h"

#include "mn_matmul.h"

int32_t mn_requantize_s8_any(int32_t value, int32_t multiplier, int32_t shift, int32_t offset)
{
    const int32_t scaled = mn_requantize(value, multiplier, shift);
    return mn_clamp(mn_add_wrapping(scaled, offset), INT8_MIN, INT8_MAX);
}

int32_t mn_are_plain_rows(const mn_rows *rows)
{
    const int32_t *bias = rows->bias;
    const int32_t *shift = rows->shift;
    for (int32_t row = 0; row < rows->rows; ++row)
    {
        if (!mn_is_short_shift(*shift) || (uint32_t)*bias + (1u << 29) >= 1u << 30)
        {
            return 0;
        }
        shift += rows->quant_step;
        bias += rows->bias_step;
    }
    return 1;
}
