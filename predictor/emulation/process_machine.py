"""A board in an emulator that is a process of its own: its folder of files and its program."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from contextlib import ExitStack
from pathlib import Path

from predictor.emulation.machine import Machine, require_memory
from predictor.emulation.platform.description import Platform
from predictor.errors import EmulationError
from predictor.files import scratch_folder
from predictor.firmware.elf_image import ElfImage

PROGRAM_FILE = "program.elf"


class ProcessMachine(Machine):
    """What such machines share. The folder is gone when the machine is closed."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._image: ElfImage | None = None
        self._scratch = ExitStack()
        self._folder: Path | None = self._scratch.enter_context(scratch_folder())

    def load_elf(self, path: str | os.PathLike[str]) -> None:
        if self._image is not None:
            raise EmulationError("the machine has a program already; make another machine")
        image = ElfImage(path)
        for segment in image.segments:
            require_memory(self.platform, segment.load_address, len(segment.data), str(image.path))
        copy = self._own_folder / PROGRAM_FILE
        shutil.copyfile(path, copy)
        self._load(image, copy)
        self._image = image

    @abstractmethod
    def _load(self, image: ElfImage, copy: Path) -> None:
        """Has the emulator load the program, of which ``copy`` lies in the folder."""

    def symbol(self, name: str) -> int:
        return self._own_image.symbol(name)

    @property
    def _own_image(self) -> ElfImage:
        if self._image is None:
            raise EmulationError("the machine has no program; call load_elf first")
        return self._image

    @property
    def _own_folder(self) -> Path:
        if self._folder is None:
            raise EmulationError("the machine is closed")
        return self._folder

    def _remove_folder(self) -> None:
        self._scratch.close()
        self._folder = None
