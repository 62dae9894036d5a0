"""The parts of Unicorn's C library that its Python package does not offer: hooks in C."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from predictor.cores.core import Core, core_names, find_core
from predictor.emulation.platform.description import Platform
from predictor.errors import EmulationError, MissingDependencyError, PlatformError
from predictor.install import install_command

if TYPE_CHECKING:
    from unicorn import Uc

INSTALL_HINT = install_command("emulate")


def require_unicorn() -> None:
    """Checks that the emulator's packages are there.

    Raises:
        MissingDependencyError: one is missing; holds the command that installs it.
    """
    for package, name in (("unicorn", "unicorn"), ("elftools", "pyelftools")):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingDependencyError(
                f"emulation needs the package {name}, which is missing ({error}); {INSTALL_HINT}"
            ) from error


def _library() -> Any:
    from unicorn.unicorn_py3 import unicorn as binding

    return binding.uclib


def function_address(name: str) -> int:
    """Address of a function of the C library."""
    address = ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value
    if address is None:
        raise EmulationError(f"Unicorn's library has no function {name}")
    return address


def add_native_hook(
    engine: Uc, kind: int, function: int, user_data: int, begin: int = 1, end: int = 0
) -> int:
    """Adds a hook whose callback is a C function, given by address; returns its handle.

    ``begin`` above ``end`` hooks all addresses.

    Raises:
        EmulationError: Unicorn refuses the hook.
    """
    handle = ctypes.c_size_t()
    status = _library().uc_hook_add(
        engine._uch,
        ctypes.byref(handle),
        kind,
        ctypes.c_void_p(function),
        ctypes.c_void_p(user_data),
        ctypes.c_uint64(begin),
        ctypes.c_uint64(end),
    )
    if status:
        raise EmulationError(f"Unicorn refuses a hook of kind {kind} (error {status})")
    return handle.value


def remove_native_hook(engine: Uc, handle: int) -> None:
    """Removes a hook that ``add_native_hook`` added."""
    status = _library().uc_hook_del(engine._uch, ctypes.c_size_t(handle))
    if status:
        raise EmulationError(f"Unicorn does not remove a hook (error {status})")


def emulated_core(platform: Platform) -> Core:
    """The core of a platform.

    Raises:
        PlatformError: it is not one that can be emulated.
    """
    cpu_type = platform.cpu.attributes.get("cpuType")
    models = {core.renode_type: core for core in map(find_core, core_names()) if core.unicorn_model}
    core = models.get(str(cpu_type))
    if core is None:
        known = ", ".join(models)
        raise PlatformError(
            f"{platform.cpu.where}: cpuType {cpu_type!r} is not emulated in process, only {known}; "
            "Renode knows others (--backend renode)"
        )
    return core


def make_engine(core: Core) -> Uc:
    """A Unicorn instance for a core, with nothing mapped."""
    from unicorn import Uc, arm_const, unicorn_const

    mode = unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS
    return Uc(unicorn_const.UC_ARCH_ARM, mode, getattr(arm_const, core.unicorn_model))


def raise_callback_error(engine: Uc) -> None:
    """Raises what a Python callback raised; Unicorn's own error would hide it."""
    error: BaseException | None = engine._hook_exception
    if error is not None:
        raise error
