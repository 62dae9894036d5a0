// SPDX-License-Identifier: Apache-2.0
#include "src/identity.h"

#include "board.h"

const char firmware_id[] = FIRMWARE_ID;
const char board_name[] = BOARD_NAME;
const char board_core[] = BOARD_CORE;
