"""``memcpy`` and ``memset`` of newlib for ARMv7E-M, in which copies and fills of kernels end."""

from __future__ import annotations

from predictor.operators.loops import Loops


def copy(loops: Loops, calls: int, size: int, source: int = 0, target: int = 0) -> None:
    """``calls`` copies of ``size`` bytes; ``source`` and ``target`` are the addresses modulo 4."""
    if not calls:
        return
    prefix = "memcpy"
    if (source or target) and size < 8:
        if size >= 4:
            loops.add(prefix, bytewise=calls, byte=calls * size)
            return
        loops.add(prefix, short=calls)
    elif source and target:
        head = 4 - target
        loops.add(prefix, both_misaligned=calls, head1=calls * (head % 2))
        loops.add(prefix, head2=calls * (head // 2))
        if head >= 2 and (source + head % 2) % 2:
            loops.unaligned_loads += calls
        size, source = size - head, (source + head) % 4
    elif source:
        loops.add(prefix, source_misaligned=calls)
    else:
        loops.add(prefix, **{"target_misaligned" if target else "aligned": calls})
    words, tail = divmod(size, 4)
    loops.add(
        prefix,
        block64=calls * (size // 64),
        block16=calls * (size % 64 // 16),
        word=calls * (words % 4),
        tail=calls if tail else 0,
        tail1=calls * (tail % 2),
        tail2=calls * (tail // 2),
    )
    if source:
        loops.unaligned_loads += calls * words
    # The last byte of an odd number goes first, so that the half-word behind it is misaligned.
    if tail >= 2 and (source + tail % 2) % 2:
        loops.unaligned_loads += calls


def fill(loops: Loops, calls: int, size: int, target: int = 0) -> None:
    """``calls`` fills of ``size`` bytes at an address that is ``target`` modulo 4."""
    if not calls:
        return
    prefix = "memset"
    if target:
        head = min(size, 4 - target)
        loops.add(prefix, **{"misaligned" if size else "misaligned_empty": calls})
        loops.add(prefix, head=calls * head)
        size -= head
        if (target + head) % 4:
            return
    else:
        loops.add(prefix, aligned=calls)
    tail = size % 4
    if size >= 16:
        is_long = size % 16 < 4
        loops.add(prefix, long=calls, long_tail=calls if is_long and tail else 0)
        loops.add(prefix, long_end=calls if is_long and not tail else 0)
        loops.add(prefix, words=0 if is_long else calls)
    elif size >= 4:
        loops.add(prefix, medium=calls, words=calls)
    loops.add(
        prefix,
        block16=calls * (size // 16),
        word=calls * (size % 16 // 4),
        tail=calls if tail else 0,
        byte=calls * tail,
    )
