"""What the context network said of a page, as its tiles need it. Knows no network."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pagewash.inference.regions import Region
from pagewash.models.page_autoencoder import BLOCK

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PageContext:
    """What the context network said of a page, block by block."""

    features: Tensor
    """(1, C, h, w): what tiles are told; float32, or bytes for a network on integers."""

    paper: Floats
    """(h, w, 1 or 3) in 0..1: the paper's colour, or its luminance on a page without colour."""

    described: Floats
    """(C, h, w): the features in float32, whatever the network computes in."""

    nothing: int = 0
    """What stands for zero in the features: bytes begin elsewhere."""

    def told(self, window: Region) -> Tensor:
        """(1, C, h, w): the features of the blocks under a window, zeros beyond the page."""
        rows, columns = _blocks_under(window)
        part = self.features[..., rows.start : rows.stop, columns.start : columns.stop]
        below, right = len(rows) - part.shape[2], len(columns) - part.shape[3]
        return F.pad(part, (0, right, 0, below), value=self.nothing) if below or right else part

    def described_under(self, window: Region) -> Floats:
        """(C, h, w): the same in float32."""
        rows, columns = _blocks_under(window)
        part = self.described[:, rows.start : rows.stop, columns.start : columns.stop]
        short = len(rows) - part.shape[1], len(columns) - part.shape[2]
        return np.pad(part, ((0, 0), (0, short[0]), (0, short[1])))

    def paper_under(self, window: Region) -> Floats:
        """(H, W, 1 or 3): the paper at every pixel of a window, bilinear between blocks."""
        around = [
            np.clip(np.arange(blocks.start - 1, blocks.stop + 1), 0, length - 1)
            for blocks, length in zip(_blocks_under(window), self.paper.shape, strict=False)
        ]
        part = np.ascontiguousarray(self.paper[np.ix_(*around)])
        size = part.shape[1] * BLOCK, part.shape[0] * BLOCK
        wide = np.atleast_3d(
            np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32)
        )
        height, width = window.shape
        return wide[BLOCK : BLOCK + height, BLOCK : BLOCK + width]


def _blocks_under(window: Region) -> tuple[range, range]:
    """Rows and columns of the blocks under a window, whose first pixel begins a block."""
    rows, columns = (
        range(span.start // BLOCK, -(-span.stop // BLOCK)) for span in (window.rows, window.columns)
    )
    return rows, columns
