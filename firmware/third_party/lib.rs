// SPDX-License-Identifier: Apache-2.0
// Empty: a cargo manifest must have a target.
