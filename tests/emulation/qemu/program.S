// A program for QEMU's mps3-an547: sends a letter, counts, and ends in `done`.
        .syntax unified
        .thumb
        .section .vectors, "a"
        .word   0x20010000
        .word   reset
        .rept   14
        .word   fault
        .endr
        .text
        .globl  reset, sent, done, fault, value
        .type   reset, %function
        .type   sent, %function
        .type   done, %function
        .type   fault, %function
reset:  ldr     r4, =0xE000ED08         // VTOR
        ldr     r0, =_vectors
        str     r0, [r4]
        ldr     r4, =0x59303000         // UART: divider, transmitter on
        movs    r0, #16
        str     r0, [r4, #16]
        movs    r0, #1
        str     r0, [r4, #8]
        ldr     r5, =0x58100000         // counter of instructions
        ldr     r0, =16384000
        str     r0, [r5, #16]
        movs    r0, #5
        str     r0, [r5]
        movs    r0, #'A'
        str     r0, [r4]
sent:   ldr     r6, =LOOPS
        ldr     r1, [r5, #8]
1:      subs    r6, #1
        bne     1b
        ldr     r2, [r5, #8]
        subs    r2, r1
        ldr     r3, =value
        str     r2, [r3]
        movs    r0, #'B'
        str     r0, [r4]
        ldr     r3, =ADDRESS            // of memory, or of nothing
        ldr     r0, [r3]
done:   nop
        b       done
fault:  nop
        b       fault
        .bss
value:  .space  4
